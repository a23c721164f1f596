//! A small world for [`super::drives`]: a kernel, a watch, and threads that do what `driver/mod.rs` does, on the real roles
//! and the real parkers.
//!
//! The kernel has an interest set, edges that wait to be fetched, and one notification that ends one of the waits in
//! progress, whichever. Time is not counted: an alarm that is set goes off at any moment from then on. Each thread has one
//! task, and one more task belongs to an executor elsewhere. Each task waits for one source: `data[task]`.

use crate::core::parker::{Parker, Sleep};
use crate::core::roles::{Lead, Roles, Seat, Sitting};
use crate::core::sync::atomic::{AtomicBool, Ordering};
use crate::core::sync::{Condvar, Mutex};

#[derive(Default)]
struct Kernel {
    data: Vec<bool>,
    armed: Vec<bool>,
    edges: Vec<usize>,
    notified: bool,
    /// Who waits for a source. Not the kernel's, but under the same lock: `words` has the models of that part.
    waits: Vec<bool>,
}

#[derive(Default)]
struct Watch {
    alarm: bool,
    notified: bool,
}

pub(super) struct World {
    roles: Roles<usize>,
    parkers: Vec<Parker>,
    kernel: Mutex<Kernel>,
    reported: Condvar,
    watch: Mutex<Watch>,
    rung: Condvar,
    /// The executor's task has been woken.
    served: AtomicBool,
}

impl World {
    /// With so many threads for `block_on`. The number after the last is that of the fallback thread, and of the executor's
    /// task.
    pub(super) fn new(threads: usize) -> Self {
        let seats = (0..threads).map(Seat::numbered);
        World {
            roles: Roles::new(),
            parkers: seats.chain([Seat::FALLBACK]).map(Parker::new).collect(),
            kernel: Mutex::new(Kernel {
                data: vec![false; threads + 1],
                armed: vec![false; threads + 1],
                waits: vec![false; threads + 1],
                ..Kernel::default()
            }),
            reported: Condvar::new(),
            watch: Mutex::default(),
            rung: Condvar::new(),
            served: AtomicBool::new(false),
        }
    }

    /// Data for a task arrives.
    pub(super) fn post(&self, task: usize) {
        let mut kernel = self.kernel.lock();
        kernel.data[task] = true;
        if kernel.armed[task] {
            kernel.edges.push(task);
        }
        drop(kernel);
        self.reported.notify_all();
    }

    /// `block_on` of a future that is ready when its data is there.
    pub(super) fn block_on(&self, me: usize) {
        while !self.poll(me) {
            if !self.parkers[me].state.take() {
                self.wait_as(me);
                self.parkers[me].state.take();
            }
        }
    }

    /// Waits as `block_on` does, until somebody wakes the task.
    pub(super) fn sleep_until_woken(&self, me: usize) {
        while !self.parkers[me].state.take() {
            self.wait_as(me);
        }
    }

    /// The executor's task waits.
    pub(super) fn executor_waits(&self) {
        self.poll(self.fallback());
    }

    /// The end of a call of `block_on`.
    pub(super) fn retire(&self, me: usize) {
        if self.roles.abandon(self.parkers[me].seat) {
            if let Some(candidate) = self.roles.candidate() {
                self.nudge(candidate);
            }
            if self.roles.somebody_sits() {
                self.set_alarm();
            }
        }
    }

    fn poll(&self, task: usize) -> bool {
        let mut kernel = self.kernel.lock();
        if !kernel.data[task] {
            kernel.waits[task] = true;
            kernel.armed[task] = true;
        }
        kernel.data[task]
    }

    fn wait_as(&self, me: usize) {
        while !self.parkers[me].state.is_notified() {
            match self.roles.try_lead(self.parkers[me].seat) {
                Lead::Occupied => drop(self.sit(me)),
                Lead::Granted | Lead::GrantedOver => self.lead(me),
            }
        }
    }

    fn lead(&self, me: usize) {
        if self.roles.somebody_sits() {
            // The adversary's choice: the alarm is always taken back.
            self.watch.lock().alarm = false;
        }
        let parker = &self.parkers[me];
        let sleeps = parker.state.begin(Sleep::Polling);
        let (batch, notified) = self.turn(sleeps);
        if sleeps {
            parker.state.end();
        }
        if parker.seat == Seat::FALLBACK {
            self.roles.fallback_is_out();
        }
        if !self.roles.leave(parker.seat) {
            if self.roles.leader_waits() && notified {
                self.interrupt();
            }
        } else if self.roles.somebody_sits() {
            self.set_alarm();
        }
        for task in batch {
            self.wake(task);
        }
    }

    fn turn(&self, wait: bool) -> (Vec<usize>, bool) {
        let mut kernel = self.kernel.lock();
        while wait && kernel.edges.is_empty() && !kernel.notified {
            kernel = self.reported.wait(kernel);
        }
        let notified = std::mem::take(&mut kernel.notified);
        let mut batch = std::mem::take(&mut kernel.edges);
        batch.retain(|task| std::mem::take(&mut kernel.waits[*task]));
        (batch, notified)
    }

    /// Wakes a task, from whatever thread.
    pub(super) fn wake(&self, task: usize) {
        if task == self.fallback() {
            self.served.store(true, Ordering::Relaxed);
            return;
        }
        let ended = self.parkers[task].state.notify();
        self.end_sleep(task, ended);
    }

    fn nudge(&self, thread: usize) {
        let ended = self.parkers[thread].state.nudge();
        self.end_sleep(thread, ended);
    }

    fn end_sleep(&self, thread: usize, ended: Option<Sleep>) {
        match ended {
            Some(Sleep::Polling) => self.interrupt(),
            Some(Sleep::Watching) => {
                self.watch.lock().notified = true;
                self.rung.notify_all();
            }
            Some(Sleep::Parked) => self.parkers[thread].unpark(),
            None => {}
        }
    }

    /// Ends one wait, or else the next one.
    pub(super) fn interrupt(&self) {
        self.kernel.lock().notified = true;
        self.reported.notify_all();
    }

    fn set_alarm(&self) {
        self.watch.lock().alarm = true;
        self.rung.notify_all();
    }

    fn sit(&self, me: usize) -> bool {
        let Parker { seat, state, .. } = &self.parkers[me];
        state.forget_nudges();
        let Some(mut sitting) = self.roles.sit(*seat, me) else {
            return false;
        };
        let alarmed = loop {
            if *seat == Seat::FALLBACK && !self.roles.leader_waits() {
                self.set_alarm();
            }
            let alarmed = self.sleep(me, sitting);
            if alarmed || state.is_notified() {
                break alarmed && !state.is_notified();
            }
            if sitting == Sitting::Watching || !self.roles.is_watcher(*seat) {
                break false;
            }
            state.forget_nudges();
            if *seat != Seat::FALLBACK && !self.roles.leader_waits() {
                break false;
            }
            sitting = Sitting::Watching;
        };
        if let Some(successor) = self.roles.rise(*seat) {
            self.nudge(successor);
        }
        alarmed
    }

    fn sleep(&self, me: usize, sitting: Sitting) -> bool {
        let state = &self.parkers[me].state;
        let mut alarmed = false;
        if sitting == Sitting::Parked {
            self.parkers[me].park(None);
            return false;
        }
        while !alarmed && state.begin(Sleep::Watching) {
            let mut watch = self.watch.lock();
            while !watch.alarm && !watch.notified {
                watch = self.rung.wait(watch);
            }
            watch.notified = false;
            let interrupted = !state.is_asleep();
            state.end();
            alarmed = std::mem::take(&mut watch.alarm);
            if interrupted {
                break;
            }
        }
        alarmed
    }

    fn fallback(&self) -> usize {
        self.parkers.len() - 1
    }

    /// The fallback thread offers to lead, and does so for one turn.
    pub(super) fn fallback_leads_once(&self, offer: fn(&Roles<usize>, Seat) -> Lead) -> bool {
        self.roles.fallback_enters();
        let granted = offer(&self.roles, Seat::FALLBACK) == Lead::Granted;
        if granted {
            self.lead(self.fallback());
        } else {
            self.roles.fallback_is_out();
        }
        granted
    }

    /// The rounds of the fallback thread, until the executor's task has been woken.
    pub(super) fn fallback_drives(&self) {
        while !self.served.load(Ordering::Relaxed) {
            if self.fallback_leads_once(Roles::try_lead_vacant) {
                continue;
            }
            if self.sit(self.fallback()) && !self.roles.leader_waits() {
                self.fallback_leads_once(Roles::try_lead);
            }
        }
    }
}
