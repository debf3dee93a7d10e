//! The loop: signals first, then keys, answers, the clock. Nothing that can wait is awaited in
//! it; a frame is drawn at most every 16 ms, and none when nothing has changed. A frame that only
//! shows that time has passed makes no key wait.

use std::time::{Duration, Instant};

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::desk::Desk;
use super::exec::{Exec, Left};
use super::ground::{FAREWELL, Question, Taken};
use super::screen::{Screen, blank};
use super::{Options, ThemeChoice, input, looks, terminal};
use crate::app::{self, Effect, Model, Msg};
use crate::domain::{Error, Result};
use crate::ui::{self, Charset, HitMap, Theme};

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(16);

/// Messages taken before the next frame.
const BATCH: usize = 256;

/// Everything the loop holds.
struct Loop {
    model: Model,
    exec: Exec,
    screen: Screen,
    theme: Theme,
    choice: ThemeChoice,
    ground: Question,
    charset: Charset,
    hits: HitMap,
    began: Instant,
    drawn: Instant,
    dirty: bool,
}

/// What woke the loop.
enum Woken {
    /// A signal that ends the program.
    Stop,
    /// The terminal is closed.
    Gone,
    /// Ctrl-z from outside.
    Suspend,
    /// A key, the mouse, a new size.
    Event(Box<Event>),
    /// An answer.
    Msg(Box<Msg>),
    /// Time has passed.
    Time,
}

/// How the loop ended.
#[derive(PartialEq, Eq)]
enum End {
    Quit,
    Stopped,
}

/// Runs until the program is left.
pub async fn run(model: Model, options: Options) -> Result<()> {
    let mut signals = Signals::listen()?;
    let guard = terminal::Guard::take(looks::mouse(options.mouse))?;
    let (tell, told) = unbounded_channel();
    let (gone, is_gone) = unbounded_channel();
    terminal::watch(move || {
        let _ = gone.send(());
    })?;
    let desk = Desk::new(options.open, options.mongod, options.memory, options.log);
    let now = Instant::now();
    let mut this = Loop {
        model,
        exec: Exec::new(desk, tell),
        screen: Screen::new(),
        theme: looks::theme(options.theme, None),
        choice: options.theme,
        ground: Question::none(),
        charset: looks::charset(options.ascii),
        hits: HitMap::default(),
        began: now,
        drawn: now.checked_sub(FRAME).unwrap_or(now),
        dirty: true,
    };
    if looks::depends_on_ground(options.theme) {
        this.ground =
            Question::ask(&mut std::io::stdout()).map_err(|e| Error::failed("asking the terminal", "", e))?;
    }
    let ended = this.turn(&mut signals, told, is_gone).await;
    if this.ground.is_open() && matches!(ended, Ok(End::Quit)) {
        terminal::discard(FAREWELL);
    }
    drop(guard);
    match ended? {
        End::Quit => Ok(()),
        End::Stopped => Error::interrupted("showing the screens").err(),
    }
}

/// The signals that matter.
struct Signals {
    stop: [Signal; 3],
    suspend: Signal,
}

impl Signals {
    fn listen() -> Result<Signals> {
        let on = |kind| signal(kind).map_err(|e| Error::failed("listening for signals", "", e));
        Ok(Signals {
            stop: [on(SignalKind::terminate())?, on(SignalKind::hangup())?, on(SignalKind::interrupt())?],
            suspend: on(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
        })
    }

    async fn next(&mut self) -> Woken {
        let [term, hup, int] = &mut self.stop;
        tokio::select! {
            _ = term.recv() => Woken::Stop,
            _ = hup.recv() => Woken::Gone,
            _ = int.recv() => Woken::Stop,
            _ = self.suspend.recv() => Woken::Suspend,
        }
    }
}

impl Loop {
    async fn turn(
        &mut self,
        signals: &mut Signals,
        mut told: UnboundedReceiver<Msg>,
        mut gone: UnboundedReceiver<()>,
    ) -> Result<End> {
        let mut events = EventStream::new();
        let asked = self.tick();
        self.submit(asked)?;
        // The first frame is drawn before the first question is asked.
        self.draw()?;
        let effects = app::begin(&mut self.model);
        if self.submit(effects)? == Some(End::Quit) {
            return Ok(End::Quit);
        }
        loop {
            let woken = tokio::select! {
                biased;
                woken = signals.next() => woken,
                _ = gone.recv() => Woken::Gone,
                event = events.next() => match event {
                    Some(Ok(event)) => Woken::Event(Box::new(event)),
                    Some(Err(_)) | None => Woken::Gone,
                },
                Some(msg) = told.recv() => Woken::Msg(Box::new(msg)),
                () = tokio::time::sleep(self.patience()) => Woken::Time,
            };
            let asked = self.tick();
            self.submit(asked)?;
            let by_itself = matches!(woken, Woken::Time) && !self.dirty;
            let effects = match woken {
                Woken::Stop | Woken::Gone => return Ok(End::Stopped),
                Woken::Suspend => vec![Effect::Suspend],
                Woken::Event(event) => self.event(&event),
                Woken::Msg(msg) => self.answers(*msg, &mut told),
                Woken::Time => {
                    self.dirty = true;
                    let progress = self.exec.progress();
                    progress.into_iter().flat_map(|msg| self.take(msg)).collect()
                }
            };
            if self.submit(effects)? == Some(End::Quit) {
                return Ok(End::Quit);
            }
            if self.dirty && self.drawn.elapsed() >= FRAME {
                let before = self.drawn;
                self.draw()?;
                if by_itself {
                    // None like it comes soon: the next one, which may answer a key, can.
                    self.drawn = before;
                }
            }
        }
    }

    /// How long the loop may sleep: until the frame that is due, or until the screen looks
    /// different by itself.
    fn patience(&self) -> Duration {
        if self.dirty {
            return FRAME.saturating_sub(self.drawn.elapsed());
        }
        match self.model.next_change() {
            Some(ms) => Duration::from_millis(ms),
            None => Duration::from_secs(3600),
        }
    }

    fn event(&mut self, event: &Event) -> Vec<Effect> {
        match self.ground.take(event) {
            Taken::Not => {}
            Taken::Part => return Vec::new(),
            Taken::Answer(ground) => {
                self.theme = looks::theme(self.choice, ground);
                self.dirty = true;
                return Vec::new();
            }
        }
        input::messages(event, &self.hits).into_iter().flat_map(|msg| self.take(msg)).collect()
    }

    fn answers(&mut self, first: Msg, told: &mut UnboundedReceiver<Msg>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut next = Some(first);
        for _ in 0..BATCH {
            let Some(msg) = next.take() else { break };
            self.exec.ended(&msg);
            effects.extend(self.take(msg));
            next = told.try_recv().ok();
        }
        if let Some(msg) = next {
            self.exec.ended(&msg);
            effects.extend(self.take(msg));
        }
        effects
    }

    /// It is now; time alone may be a reason to ask for something.
    fn tick(&mut self) -> Vec<Effect> {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        app::update(&mut self.model, Msg::Now { ms, utc: chrono::Utc::now().timestamp() })
    }

    fn take(&mut self, msg: Msg) -> Vec<Effect> {
        self.dirty = true;
        app::update(&mut self.model, msg)
    }

    fn submit(&mut self, effects: Vec<Effect>) -> Result<Option<End>> {
        for effect in effects {
            match self.exec.submit(effect) {
                Left::Nothing => {}
                Left::Quit => return Ok(Some(End::Quit)),
                Left::Redraw => self.anew(),
                Left::Suspend => {
                    terminal::suspend()?;
                    self.anew();
                }
            }
        }
        Ok(None)
    }

    /// Forgets what is on the screen, so that all of it is drawn again.
    fn anew(&mut self) {
        self.screen.forget();
        self.dirty = true;
    }

    fn draw(&mut self) -> Result<()> {
        let size = self.screen.size()?;
        let asked = match size == self.model.size {
            true => Vec::new(),
            false => self.take(Msg::Resize(size.0, size.1)),
        };
        let mut buffer = blank(size);
        self.hits = ui::draw(&self.model, &self.theme, self.charset, &mut buffer);
        self.screen.show(buffer)?;
        self.drawn = Instant::now();
        self.dirty = false;
        self.submit(asked).map(|_| ())
    }
}
