//! Accepts connections up to a limit.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::Connection;
use crate::state::App;

/// After an error of `accept`, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The connections of `listener`. One over the limit is closed at once, and counted.
pub(crate) fn accept(
    listener: TcpListener,
    app: &App,
) -> Result<mpsc::Receiver<Connection>, std::io::Error> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let slots = Arc::new(Semaphore::new(app.limits.connections));
    let (sender, receiver) = mpsc::channel(1);
    let app = Arc::clone(app);
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                },
                () = sender.closed() => return,
            };
            let Ok(permit) = Arc::clone(&slots).try_acquire_owned() else {
                app.counters.connections_refused.add(1);
                continue;
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "cannot set TCP_NODELAY");
            }
            let connection = Connection::new(stream, app.limits.write_timeout, permit);
            if sender.send(connection).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
