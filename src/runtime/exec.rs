//! Effects carried out: questions on threads of their own, one a slot; every job ends with
//! exactly one message, also when it panics.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use super::desk::Desk;
use super::restoring::{self, Connection};
use super::{clipboard, keeping, work};
use crate::app::effect::RestoreRequest;
use crate::app::{Answer, Copy, Effect, JobEvent, JobId, Msg, Slot, Work};
use crate::domain::progress::Meter;
use crate::domain::{Error, Result};

/// How much nicer than the loop long jobs are.
#[cfg(target_os = "linux")]
const NICE: i32 = 5;

/// What is left for the loop to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// Hand the terminal to the shell.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Leave.
    Quit,
}

/// Carries effects out.
pub struct Exec {
    desk: Arc<Desk>,
    tell: UnboundedSender<Msg>,
    running: HashMap<Slot, (JobId, Meter)>,
    cancel_restore: Arc<AtomicBool>,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Exec {
    /// Answers go to `tell`.
    pub fn new(desk: Desk, tell: UnboundedSender<Msg>) -> Exec {
        Exec {
            desk: Arc::new(desk),
            tell,
            running: HashMap::new(),
            cancel_restore: Arc::default(),
            connection: Arc::default(),
        }
    }

    /// Carries one out.
    pub fn submit(&mut self, effect: Effect) -> Left {
        match effect {
            Effect::Start { job, work } => self.start(job, work),
            Effect::Cancel(slot) => {
                if let Some((_, meter)) = self.running.get(&slot) {
                    meter.cancel();
                }
            }
            Effect::Restore { job, request } => self.restore(job, request),
            Effect::Export { job, what, path } => {
                self.measured(job, move |desk, meter, _| keeping::write(desk, &what, &path, meter));
            }
            Effect::CancelRestore => self.cancel_restore.store(true, Ordering::Relaxed),
            Effect::Copy(what) => {
                let (text, tell) = (self.text(what), self.tell.clone());
                tokio::task::spawn_blocking(move || {
                    let _ = tell.send(Msg::Copied(text.and_then(|text| clipboard::copy(&text))));
                });
            }
            Effect::Suspend => return Left::Suspend,
            Effect::Redraw => return Left::Redraw,
            Effect::Quit => return Left::Quit,
        }
        Left::Nothing
    }

    /// How far the jobs are that run.
    pub fn progress(&self) -> Vec<Msg> {
        let of = |(job, meter): &(JobId, Meter)| Msg::Job(*job, JobEvent::Progress(meter.read()));
        self.running.values().map(of).collect()
    }

    /// A job has ended: there is nothing to measure any more.
    pub fn ended(&mut self, msg: &Msg) {
        if let Msg::Job(job, JobEvent::Ended(_)) = msg
            && self.running.get(&job.slot).is_some_and(|(id, _)| id == job)
        {
            self.running.remove(&job.slot);
        }
    }

    fn start(&mut self, job: JobId, work: Work) {
        self.desk.note(&format!("{job:?} {work:?}"));
        let told = self.tell.clone();
        self.measured(job, move |desk, meter, tell| {
            let answer = work::answer(desk, &work, meter, tell)?;
            if work == Work::Open {
                desk.follow(&told)?;
            }
            Ok(answer)
        });
    }

    /// Starts what can be measured and cancelled; what ran in its slot is cancelled.
    fn measured<R>(&mut self, job: JobId, run: R)
    where
        R: FnOnce(&Desk, &Meter, &dyn Fn(Answer)) -> Result<Answer> + Send + 'static,
    {
        let meter = Meter::default();
        if let Some((_, old)) = self.running.insert(job.slot, (job, meter.clone())) {
            old.cancel();
        }
        let (desk, tell) = (Arc::clone(&self.desk), self.tell.clone());
        self.spawn(job, move || {
            let part = |answer| {
                let _ = tell.send(Msg::Job(job, JobEvent::Part(answer)));
            };
            let run = || run(&desk, &meter, &part);
            if job.slot.is_long() { aside(run) } else { run() }
        });
    }

    fn restore(&mut self, job: JobId, request: RestoreRequest) {
        self.desk.note(&format!("{job:?} {request:?}"));
        self.cancel_restore = Arc::default();
        let (desk, cancel) = (Arc::clone(&self.desk), Arc::clone(&self.cancel_restore));
        let (tell, connection) = (self.tell.clone(), Arc::clone(&self.connection));
        self.spawn(job, move || {
            let say = |reading| {
                let _ = tell.send(Msg::Job(job, JobEvent::Progress(reading)));
            };
            let (outcome, place) = restoring::run(&desk, &request, &cancel, say)?;
            *connection.lock().unwrap_or_else(PoisonError::into_inner) = place;
            Ok(Answer::Restored(Box::new(outcome)))
        });
    }

    /// Runs it on a thread of its own; whatever happens, it ends with one message.
    fn spawn(&self, job: JobId, run: impl FnOnce() -> Result<Answer> + Send + 'static) {
        let (tell, desk) = (self.tell.clone(), Arc::clone(&self.desk));
        tokio::spawn(async move {
            let answer = match tokio::task::spawn_blocking(run).await {
                Ok(answer) => answer,
                Err(broken) => Error::failed(job.slot.doing(), "", panic_text(broken))
                    .hint("this is a fault of pitstop; the command of the same name may get further.")
                    .err(),
            };
            desk.note(&match &answer {
                Ok(_) => format!("{job:?} done"),
                Err(error) => format!("{job:?} failed: {error}"),
            });
            // Nobody listens any more only when the program is being left.
            let _ = tell.send(Msg::Job(job, JobEvent::Ended(answer)));
        });
    }

    fn text(&self, what: Copy) -> Result<String> {
        match what {
            Copy::Text(text) => Ok(text),
            Copy::Connection => {
                let known = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
                known.map_or_else(
                    || Error::failed("copying", "", "nothing was restored").err(),
                    |connection| connection.secret(),
                )
            }
        }
    }
}

/// Runs something long on a thread that lets others go first, as do those that it starts: it may
/// take all cores, and keys are to be answered meanwhile.
fn aside<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // Elsewhere it would be the whole process that is made nicer. Refused, it is only
            // slower keys.
            #[cfg(target_os = "linux")]
            let _ = rustix::process::nice(NICE);
            run()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn panic_text(broken: tokio::task::JoinError) -> String {
    match broken.try_into_panic() {
        Ok(payload) => {
            let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            format!("it panicked: {}", text.unwrap_or_else(|| "without a word".into()))
        }
        Err(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_panic_is_an_answer_like_any_other() {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let exec = Exec::new(Desk::default(), tell);
        let job = JobId { slot: Slot::Diff, generation: 7 };
        exec.spawn(job, || panic!("a bad day"));
        let Some(Msg::Job(id, JobEvent::Ended(Err(error)))) = told.recv().await else { panic!("no end") };
        assert_eq!(id, job);
        assert!(error.cause.contains("a bad day"), "{error}");
        assert!(told.try_recv().is_err(), "it ends once");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_is_long_lets_others_go_first_and_panics_as_it_is() {
        use rustix::process::getpriority_process;
        let nice = || getpriority_process(None).unwrap();
        let before = nice();
        let of_its_thread = || std::thread::scope(|scope| scope.spawn(nice).join().unwrap());
        let inside = aside(|| (nice(), of_its_thread()));
        let wanted = (before + NICE).min(19);
        assert_eq!((inside, nice()), ((wanted, wanted), before));
        let panicked = std::panic::catch_unwind(|| aside(|| panic!("a bad day"))).unwrap_err();
        assert_eq!(panicked.downcast_ref::<&str>(), Some(&"a bad day"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_question_asked_too_early_is_an_error_not_a_wait() {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let mut exec = Exec::new(Desk::default(), tell);
        let job = JobId { slot: Slot::Index, generation: 1 };
        exec.submit(Effect::Start { job, work: Work::Index });
        assert_eq!(exec.progress().len(), 1);
        let msg = told.recv().await.unwrap();
        assert!(matches!(&msg, Msg::Job(_, JobEvent::Ended(Err(_)))));
        exec.ended(&msg);
        assert!(exec.progress().is_empty());
    }
}
