//! The readiness word against a struct with one field for each part of the word.

use super::Script;
use crate::core::source::readiness::{Readiness, Snapshot};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Model {
    deliveries: u32,
    contradicted: bool,
    drained: bool,
    more_than_data: bool,
    tcp: bool,
}

const NEW: Model = Model {
    deliveries: 0,
    contradicted: false,
    drained: false,
    more_than_data: false,
    tcp: false,
};

pub fn readiness(script: &[u8]) {
    let mut script = Script(script);
    let word = Readiness::new();
    let mut model = NEW;
    let mut seen = vec![(word.snapshot(), model)];
    while step(&mut script, &word, &mut model, &mut seen).is_some() {
        let now = word.snapshot();
        assert_eq!(now.sequence(), model.deliveries);
        assert_eq!(now.is_contradicted(), model.contradicted);
        assert_eq!(now.is_drained(), model.drained);
        let shortcut = (model.more_than_data || model.tcp).then_some(!model.more_than_data);
        assert_eq!(now.allows_shortcut(), shortcut);
        for (snapshot, then) in &seen {
            let current = then.deliveries == model.deliveries;
            assert_eq!(word.is_current(*snapshot), current, "{then:?}, {model:?}");
        }
    }
}

fn step(
    script: &mut Script<'_>,
    word: &Readiness,
    model: &mut Model,
    seen: &mut Vec<(Snapshot, Model)>,
) -> Option<()> {
    match script.below(8)? {
        0 | 1 => {
            let plain = script.next()? % 4 != 0;
            word.deliver(plain);
            model.deliveries += 1;
            model.drained = false;
            model.more_than_data |= !plain;
        }
        2 => seen.push((word.snapshot(), *model)),
        3 => {
            let (snapshot, then) = seen[script.below(seen.len())?];
            word.note_drained(snapshot);
            model.drained |= then == *model;
        }
        4 => {
            word.use_drained();
            model.drained = false;
        }
        5 => {
            model.contradicted = script.coin()?;
            word.set_contradicted(model.contradicted);
        }
        6 => {
            let tcp = script.coin()?;
            word.set_tcp(tcp);
            model.tcp |= tcp;
            model.more_than_data |= !tcp;
        }
        _ => {
            word.forget();
            let deliveries = model.deliveries;
            *model = Model { deliveries, ..NEW };
        }
    }
    Some(())
}
