//! Medians with their spread, and ratios of figures of the same round.

/// The median of some figures, and the least and the greatest of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Middle {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Middle {
    /// Returns `None` if there are no figures.
    pub(crate) fn of(figures: &[f64]) -> Option<Middle> {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[half]
        } else {
            (sorted[half - 1] + sorted[half]) / 2.0
        };
        Some(Middle {
            median,
            least,
            most,
        })
    }
}

/// Returns the median of the ratios of all rounds. A disturbance of the machine affects both
/// figures of a round.
pub(crate) fn paired_ratio(over: &[f64], under: &[f64]) -> Option<Middle> {
    let ratios: Vec<f64> = over
        .iter()
        .zip(under)
        .map(|(over, under)| over / under)
        .collect();
    Middle::of(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_odd_and_even() {
        assert_eq!(Middle::of(&[3.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(Middle::of(&[4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert!(Middle::of(&[]).is_none());
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let ratio = paired_ratio(&[2.0, 200.0, 4.0], &[1.0, 100.0, 2.0]).unwrap();
        assert_eq!((ratio.least, ratio.median, ratio.most), (2.0, 2.0, 2.0));
    }
}
