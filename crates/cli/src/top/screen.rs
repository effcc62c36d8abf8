//! The live view on a terminal: its own screen, given back when dropped.

use std::{
    io::{self, Write},
    time::Duration,
};

use crossterm::{
    cursor,
    event::{self, Event, KeyEventKind},
    execute, queue,
    style::{Attribute, Print, SetAttribute},
    terminal::{self, ClearType},
};

use super::{
    keys::{Next, View},
    picture::{FUNCTION_HEAD, Picture, SERVICE_HEAD},
};

const KEYS: &str = "q quit  s sort  p pause  up/down scroll";

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Screen(Shown);

/// What the screen shows.
#[derive(Debug, Default)]
struct Shown {
    view: View,
    picture: Option<Picture>,
    /// Since the start.
    lost_samples: u64,
}

/// One line and whether it stands out.
type Line = (String, bool);

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let screen = Self(Shown::default());
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        screen.draw()?;
        Ok(screen)
    }

    /// `lost_samples`: since the start.
    pub(super) fn show(&mut self, picture: Picture, lost_samples: u64) -> io::Result<()> {
        self.0.lost_samples = lost_samples;
        if !self.0.view.is_paused {
            self.0.picture = Some(picture);
        }
        self.draw()
    }

    /// Does what the keys say that were pressed since.
    pub(super) fn take_keys(&mut self) -> io::Result<Next> {
        let mut next = Next::Wait;
        while event::poll(Duration::ZERO)? {
            let pressed = match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => self.0.view.press(key),
                Event::Resize(..) => Next::Redraw,
                _ => Next::Wait,
            };
            match pressed {
                Next::Quit => return Ok(Next::Quit),
                Next::Redraw => next = Next::Redraw,
                Next::Wait => {}
            }
        }
        if next == Next::Redraw {
            self.draw()?;
        }
        Ok(next)
    }

    fn draw(&self) -> io::Result<()> {
        // A terminal that does not know its size says 0.
        let (width, height) = match terminal::size()? {
            (0, _) | (_, 0) => (80, 24),
            size => size,
        };
        let mut out = io::stdout().lock();
        let lines = self.0.lines(height.into());
        let count = lines.len() as u16;
        for (row, (line, stands_out)) in lines.into_iter().enumerate() {
            queue!(out, cursor::MoveTo(0, row as u16), terminal::Clear(ClearType::CurrentLine))?;
            if stands_out {
                queue!(out, SetAttribute(Attribute::Reverse))?;
            }
            let text: String = line.chars().take(width.into()).collect();
            queue!(out, Print(text), SetAttribute(Attribute::Reset))?;
        }
        if count < height {
            queue!(out, cursor::MoveTo(0, count), terminal::Clear(ClearType::FromCursorDown))?;
        }
        out.flush()
    }
}

impl Shown {
    /// The lines of a screen of `height` rows: a third of it for services, the rest for functions.
    fn lines(&self, height: usize) -> Vec<Line> {
        let Some(picture) = &self.picture else {
            return vec![("infrared top: the first samples are on their way".into(), false)];
        };
        let mut picture = picture.clone();
        self.view.order.sort(&mut picture);
        let paused = if self.view.is_paused { "  [paused]" } else { "" };
        let lost = match self.lost_samples {
            0 => String::new(),
            lost => format!("  [{lost} samples lost: this machine is too busy to name them]"),
        };
        let (cpu, samples, order) = (picture.cpu, picture.samples, self.view.order.name());
        let mut lines = vec![
            (format!("{cpu:.2} CPUs busy, {samples} samples, by {order}{paused}{lost}"), false),
            (KEYS.to_owned(), false),
            (SERVICE_HEAD.to_owned(), true),
        ];
        let services = (height / 3).max(3).min(picture.services.len());
        lines.extend(picture.services.iter().take(services).map(|row| (row.to_text(), false)));
        lines.push((FUNCTION_HEAD.to_owned(), true));
        let scroll = self.view.scroll.min(picture.functions.len().saturating_sub(1));
        lines.extend(picture.functions.iter().skip(scroll).map(|row| (row.to_text(), false)));
        lines.truncate(height);
        lines
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        drop(execute!(io::stdout(), terminal::LeaveAlternateScreen, cursor::Show));
        drop(terminal::disable_raw_mode());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::picture::{FunctionRow, ServiceRow};

    fn picture() -> Picture {
        let service = |n: u64| ServiceRow {
            service: format!("s{n}"),
            cpu: 0.0,
            samples: 100 - n,
            processes: 1,
        };
        let function = |n: u64| FunctionRow {
            function: format!("f{n}"),
            module: String::new(),
            self_cpu: 0.0,
            total_cpu: 0.0,
            samples: 100 - n,
        };
        Picture {
            services: (0..50).map(service).collect(),
            functions: (0..50).map(function).collect(),
            ..Picture::default()
        }
    }

    #[test]
    fn a_screen_is_filled_and_not_exceeded() {
        for height in [1, 5, 24, 60] {
            let shown = Shown { picture: Some(picture()), ..Shown::default() };
            let lines = shown.lines(height);
            assert_eq!(lines.len(), height.min(4 + 50 + height / 3), "{height}");
        }
    }

    #[test]
    fn scrolling_stops_at_the_last_function() {
        let view = View { scroll: 1000, ..View::default() };
        let shown = Shown { view, picture: Some(picture()), lost_samples: 7 };
        let lines = shown.lines(24);
        assert!(lines[0].0.contains("7 samples lost"), "{lines:?}");
        assert!(lines.last().unwrap().0.contains("f49"), "{lines:?}");
    }
}
