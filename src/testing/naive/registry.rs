//! The registry against a list of the slots that are in use.

use super::Script;
use crate::core::registry::Registry;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The content of a slot: the number of times that the slot was taken.
type Content = AtomicUsize;

pub fn registry(script: &[u8]) {
    let mut script = Script(script);
    let real = Registry::<Content>::new();
    let mut inside: Vec<(u32, &Content)> = Vec::new();
    let mut vacant: Vec<u32> = Vec::new();
    let mut taken = Vec::new();
    while let Some(what) = script.below(5) {
        if what < 3 {
            let (slot, content) = real.take().unwrap();
            // A new slot is taken only if none is vacant.
            match vacant.iter().position(|other| *other == slot) {
                Some(index) => drop(vacant.swap_remove(index)),
                None => {
                    assert!(vacant.is_empty());
                    assert_eq!(slot, taken.len() as u32);
                }
            }
            if slot as usize == taken.len() {
                taken.push(0);
            }
            let before = content.fetch_add(1, Ordering::Relaxed);
            assert_eq!(before, taken[slot as usize], "the content is kept");
            taken[slot as usize] += 1;
            inside.push((slot, content));
        } else if !inside.is_empty() {
            let Some(which) = script.below(inside.len()) else {
                return;
            };
            let (slot, _) = inside.swap_remove(which);
            real.give_back(slot);
            vacant.push(slot);
        }
        let all: Vec<(u32, usize)> = real
            .iter()
            .map(|(slot, content)| (slot, content.load(Ordering::Relaxed)))
            .collect();
        let expected: Vec<(u32, usize)> = (0..).zip(taken.iter().copied()).collect();
        assert_eq!(all, expected);
        for (slot, content) in &inside {
            let found = real.get(*slot).unwrap();
            assert!(std::ptr::eq(found, *content), "slots are not moved");
        }
    }
}
