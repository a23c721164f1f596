//! The waiters of a source against a list of rows.

use super::{Calls, Script};
use crate::core::source::waiters::{News, Place, Question, Waiters};
use crate::core::source::{Direction, Turn};
use crate::core::wake::WakeBatch;
use std::sync::Arc;

struct Row {
    direction: Direction,
    place: Place,
    parked: Option<Arc<Calls>>,
    question: Question,
}

pub fn waiters(script: &[u8]) {
    let mut script = Script(script);
    let mut real = Waiters::new();
    let mut rows: Vec<Row> = Direction::BOTH
        .map(|direction| Row {
            direction,
            place: Place::Slot,
            parked: None,
            question: Question::Retry,
        })
        .into();
    while step(&mut script, &mut real, &mut rows).is_some() {
        for row in &rows {
            let waiter = real.at(row.direction, row.place).unwrap();
            assert_eq!(waiter.is_parked(), row.parked.is_some());
            assert_eq!(waiter.question, row.question);
        }
        for direction in Direction::BOTH {
            let parked = rows.iter().filter(|row| row.direction == direction);
            let count = parked.filter(|row| row.parked.is_some()).count();
            assert_eq!(real.wakers(direction).count(), count);
            assert_eq!(real.any(direction), count > 0);
        }
    }
}

fn step(script: &mut Script<'_>, real: &mut Waiters, rows: &mut Vec<Row>) -> Option<()> {
    match script.below(8)? {
        0 => {
            let direction = script.direction()?;
            let place = Place::Listed(real.add(direction));
            assert!(rows.iter().all(|row| row.place != place));
            rows.push(Row {
                direction,
                place,
                parked: None,
                question: Question::Retry,
            });
        }
        1 => {
            let which = script.below(rows.len())?;
            if let Place::Listed(id) = rows[which].place {
                let row = rows.remove(which);
                assert_eq!(real.remove(id).is_some(), row.parked.is_some());
                assert!(real.remove(id).is_none());
                assert!(real.at(row.direction, row.place).is_none());
            }
        }
        2..=4 => {
            let which = script.below(rows.len())?;
            let row = &mut rows[which];
            let calls = Calls::new();
            let waiter = real.at(row.direction, row.place).unwrap();
            let former = waiter.park(calls.waker());
            assert_eq!(former.is_some(), row.parked.is_some());
            assert!(waiter.would_wake(&calls.waker()));
            row.question = match script.below(4)? {
                0 => Question::Retry,
                1 => Question::Ready,
                2 => Question::ReadySince(Turn(script.below(4)? as u32)),
                _ => row.question,
            };
            waiter.question = row.question;
            row.parked = Some(calls);
        }
        5 => {
            let which = script.below(rows.len())?;
            let row = &mut rows[which];
            let waiter = real.at(row.direction, row.place).unwrap();
            assert_eq!(waiter.unpark().is_some(), row.parked.take().is_some());
            row.question = Question::Retry;
        }
        _ => claim(script, real, rows)?,
    }
    Some(())
}

fn claim(script: &mut Script<'_>, real: &mut Waiters, rows: &mut [Row]) -> Option<()> {
    let direction = script.direction()?;
    let event = script.below(3)?;
    let turn = Turn(script.below(6)? as u32);
    let urgent = event == 1;
    let news = if event == 2 {
        News::Unknown
    } else {
        News::Event { turn, urgent }
    };
    let mut batch = WakeBatch::default();
    let somebody = real.claim(direction, news, &mut batch);
    let mut expected = 0;
    batch.run();
    for row in rows.iter_mut().filter(|row| row.direction == direction) {
        let Some(calls) = row.parked.take() else {
            continue;
        };
        expected += 1;
        assert_eq!(calls.count(), 1);
        row.question = match row.question {
            Question::ReadySince(_) if event == 2 => Question::Ready,
            Question::ReadySince(Turn(asked)) if turn.0 > asked => Question::Answered,
            Question::Ready | Question::ReadySince(_) if urgent => Question::ReadyOrUrgent,
            unchanged => unchanged,
        };
    }
    for calls in rows.iter().filter_map(|row| row.parked.as_ref()) {
        assert_eq!(calls.count(), 0, "the other direction is left alone");
    }
    assert_eq!(somebody, expected > 0);
    Some(())
}
