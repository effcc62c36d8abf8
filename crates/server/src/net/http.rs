//! HTTP/1.1 over accepted connections.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::Connection;
use crate::bind::ServeError;
use crate::config::Limits;

/// Bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;
/// What running requests get to finish after the stop.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) async fn serve(
    mut connections: mpsc::Receiver<Connection>,
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            connection = connections.recv() => {
                let Some(connection) = connection else { break };
                tasks.spawn(one(connection, router.clone(), limits, stopped.clone()));
            }
            Some(_) = tasks.join_next() => {}
            () = stop(&mut stopped) => break,
        }
    }
    drop(connections);
    let finish = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finish).await.is_err() {
        tracing::info!("requests that did not finish in time were cut off");
    }
    Ok(())
}

/// Completes when the server is told to stop, or is gone.
pub(crate) async fn stop(stopped: &mut watch::Receiver<bool>) {
    if stopped.wait_for(|stopped| *stopped).await.is_err() {
        tracing::debug!("the server is gone");
    }
}

async fn one(
    connection: Connection,
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<bool>,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(HEAD_BYTES);
    let service = TowerToHyperService::new(router);
    let mut serving = std::pin::pin!(builder.serve_connection(TokioIo::new(connection), service));
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = stop(&mut stopped) => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended badly");
    }
}
