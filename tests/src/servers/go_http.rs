//! Go's own web server: `programs/go/server`.

use std::process::Command;

use anyhow::Result;

use super::{Load, Server, wrk};
use crate::{Target, built};

#[derive(Debug)]
pub struct GoHttp {
    target: Target,
}

impl GoHttp {
    pub fn start() -> Result<Self> {
        let mut command = Command::new(built("go-server")?);
        command.env("OTEL_SERVICE_NAME", "e2e-go-server");
        Ok(Self { target: Target::start(command)? })
    }
}

impl Server for GoHttp {
    fn services(&self) -> &'static [&'static str] {
        &["e2e-go-server", "go-server"]
    }

    fn pid(&self) -> u32 {
        self.target.pid()
    }

    fn load(&self) -> Result<Load> {
        let paths = ["items", "hello"];
        Load::start(paths.map(|path| wrk(&format!("http://{}/{path}", self.target.greeting))))
    }
}
