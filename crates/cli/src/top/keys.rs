//! What keys mean in the live view. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::sorting::Order;

/// What to do after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Wait,
    Redraw,
    Quit,
}

/// What the person chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    pub(super) order: Order,
    /// Renewal is stopped.
    pub(super) is_paused: bool,
    /// First row that is shown of the functions.
    pub(super) scroll: usize,
}

impl View {
    pub(super) fn press(&mut self, key: KeyEvent) -> Next {
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Next::Quit,
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                return Next::Quit;
            }
            KeyCode::Char('s') => self.order = self.order.next(),
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Down | KeyCode::Char('j') => self.scroll = self.scroll.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown => self.scroll = self.scroll.saturating_add(20),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(20),
            KeyCode::Home => self.scroll = 0,
            _ => return Next::Wait,
        }
        Next::Redraw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_change_the_view() {
        let view = View::default();
        for (code, next, after) in [
            (KeyCode::Char('q'), Next::Quit, view),
            (KeyCode::Char('s'), Next::Redraw, View { order: Order::Total, ..view }),
            (KeyCode::Char('p'), Next::Redraw, View { is_paused: true, ..view }),
            (KeyCode::Down, Next::Redraw, View { scroll: 1, ..view }),
            (KeyCode::Up, Next::Redraw, view),
            (KeyCode::Char('x'), Next::Wait, view),
        ] {
            let mut changed = view;
            assert_eq!(changed.press(KeyEvent::from(code)), next, "{code:?}");
            assert_eq!(changed, after, "{code:?}");
        }
    }

    #[test]
    fn control_c_quits_and_c_does_not() {
        let mut view = View::default();
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.press(control_c), Next::Quit);
        assert_eq!(view.press(KeyEvent::from(KeyCode::Char('c'))), Next::Wait);
    }
}
