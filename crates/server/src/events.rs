//! Server-sent events: says when new data were stored.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};

use crate::state::App;

/// Events a slow reader may be behind before it is skipped ahead.
const BACKLOG: usize = 16;
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A window was stored. Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WindowEvent {
    pub from_ms: i64,
    pub to_ms: i64,
}

#[derive(Clone, Copy, Debug)]
enum Message {
    Window(WindowEvent),
    End,
}

/// Sends to all readers and waits for none.
#[derive(Clone, Debug)]
pub(crate) struct Events(broadcast::Sender<Message>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }

    pub(crate) fn window(&self, event: WindowEvent) {
        self.send(Message::Window(event));
    }

    /// Ends all streams.
    pub(crate) fn end(&self) {
        self.send(Message::End);
    }

    pub(crate) fn readers(&self) -> usize {
        self.0.receiver_count()
    }

    fn send(&self, message: Message) {
        if self.0.send(message).is_err() {
            tracing::trace!("nobody listens to events");
        }
    }

    fn stream(&self) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
        BroadcastStream::new(self.0.subscribe())
            .take_while(|message| !matches!(message, Ok(Message::End)))
            .filter_map(|message| match message {
                Ok(Message::Window(window)) => {
                    Event::default().event("window").json_data(window).ok().map(Ok)
                }
                // What a lagging reader missed is gone; the next event tells it all it needs.
                Ok(Message::End) | Err(_) => None,
            })
    }
}

pub(crate) async fn events(
    State(app): State<App>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE).text("still here");
    let hello = tokio_stream::once(Ok(Event::default().comment("connected")));
    Sse::new(hello.chain(app.ingest.events().stream())).keep_alive(keep_alive)
}
