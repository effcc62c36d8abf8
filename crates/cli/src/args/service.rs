//! `infrared up`, `agent` and `server`: what runs until it is stopped.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;

use super::{
    ConfigArg,
    values::{duration, frequency},
};

#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  sudo infrared up                             page and API on http://127.0.0.1:4747
  sudo infrared up --listen 0.0.0.0:4747       reachable from other machines: there is no log-in
  sudo infrared up --data /srv/infrared --retention 30d
  infrared up --print-config > infrared.toml")]
pub(crate) struct UpArgs {
    /// Address of the page and the API [default: 127.0.0.1:4747]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where profiles are kept [default: /var/lib/infrared, or `$XDG_STATE_HOME/infrared` when not root]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Samples a second of CPU time, 1 to 10000 [default: 99]
    #[arg(short = 'F', long, value_name = "HZ", value_parser = frequency(), allow_negative_numbers = true)]
    pub(crate) frequency: Option<u32>,
    /// How long profiles are kept, such as `12h` or `30d` [default: 7d]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) retention: Option<Duration>,
    /// Leave out what infrared itself burns
    #[arg(long)]
    pub(crate) exclude_self: bool,
    /// Print the settings that would be used, as a configuration file, and exit
    #[arg(long)]
    pub(crate) print_config: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "While the server is away, profiles wait on disk and are sent in order once it is back.

Examples:
  sudo infrared agent --server http://profiles.internal:4317
  sudo infrared agent --server http://127.0.0.1:4317 --token-file /etc/infrared/token"
)]
pub(crate) struct AgentArgs {
    /// Where to send profiles: OTLP over gRPC
    #[arg(long, value_name = "URL")]
    pub(crate) server: String,
    /// A file that holds the token to send along
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Where profiles wait while the server is away [default: /var/lib/infrared/spool, or below `$XDG_STATE_HOME`]
    #[arg(long, value_name = "DIR")]
    pub(crate) spool: Option<PathBuf>,
    /// Room for waiting profiles in MiB; the oldest give way
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) spool_mib: u64,
    /// Samples a second of CPU time, 1 to 10000 [default: 99]
    #[arg(short = 'F', long, value_name = "HZ", value_parser = frequency(), allow_negative_numbers = true)]
    pub(crate) frequency: Option<u32>,
    /// Leave out what infrared itself burns
    #[arg(long)]
    pub(crate) exclude_self: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  infrared server --store /var/lib/infrared
  infrared server --listen 0.0.0.0:4747 --otlp-grpc 0.0.0.0:4317 --store /srv/infrared")]
pub(crate) struct ServerArgs {
    /// Address of the page and the API [default: 127.0.0.1:4747]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address for profiles in OTLP over gRPC [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) otlp_grpc: Option<SocketAddr>,
    /// Address for profiles in OTLP over HTTP [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) otlp_http: Option<SocketAddr>,
    /// Where profiles are kept
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// How long profiles are kept, such as `12h` or `30d` [default: 7d]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) retention: Option<Duration>,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}
