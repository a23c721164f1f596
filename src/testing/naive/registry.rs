//! The registry against a list of the objects that are in it.

use super::Script;
use crate::core::registry::Registry;
use crate::core::source::{Interest, Key, Source, raw};

pub fn registry(script: &[u8]) {
    let mut script = Script(script);
    let real = Registry::new();
    let mut inside: Vec<(Key, &Source)> = Vec::new();
    let mut gone: Vec<Key> = Vec::new();
    let mut most = 0;
    while let Some(what) = script.below(5) {
        if what < 3 {
            let (slot, source) = real.take().unwrap();
            let mut state = source.lock();
            assert!(state.raw.is_none(), "vacant");
            state.occupy(raw::made_up(3), Interest::READ);
            let generation = state.generation;
            drop(state);
            let key = Key { slot, generation };
            assert!(inside.iter().all(|(other, _)| other.slot != slot));
            assert!(!gone.contains(&key), "a key is given once");
            inside.push((key, source));
        } else if !inside.is_empty() {
            let Some(which) = script.below(inside.len()) else {
                return;
            };
            let (key, source) = inside.swap_remove(which);
            source.lock().vacate().discard();
            real.give_back(key.slot);
            gone.push(key);
        }
        most = most.max(inside.len());
        // Slots are used again before new ones are made.
        let all: Vec<u32> = real.iter().map(|(slot, _)| slot).collect();
        assert_eq!(all.len(), most);
        assert!(inside.iter().all(|(key, _)| all.contains(&key.slot)));
        for (key, source) in &inside {
            let found = real.get(key.slot).unwrap();
            assert!(std::ptr::eq(found, *source));
            assert_eq!(found.lock().generation, key.generation);
        }
        for key in &gone {
            let found = real.get(key.slot).unwrap();
            assert_ne!(found.lock().generation, key.generation);
        }
    }
}
