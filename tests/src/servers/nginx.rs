//! nginx with two workers and three files.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::{Daemon, Load, Server, free_address, wrk};
use crate::scratch_dir;

#[derive(Debug)]
pub struct Nginx {
    daemon: Daemon,
    address: SocketAddr,
    _dir: TempDir,
}

impl Nginx {
    pub fn start() -> Result<Self> {
        let dir = scratch_dir()?;
        let address = free_address()?;
        let path = dir.path().display();
        for (name, size) in [("small.html", 600), ("page.html", 20_000), ("large.bin", 300_000)] {
            std::fs::write(dir.path().join(name), "x".repeat(size))
                .context("cannot write a file")?;
        }
        let configuration = format!(
            "daemon off; pid {path}/pid; error_log {path}/error.log; worker_processes 2;\n\
             events {{ worker_connections 256; }}\n\
             http {{\n access_log {path}/access.log; client_body_temp_path {path}/body;\n\
             proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi; uwsgi_temp_path {path}/uwsgi;\n\
             scgi_temp_path {path}/scgi; keepalive_requests 10000; gzip on; gzip_types *; gzip_min_length 1000;\n\
             server {{ listen {address}; root {path}; }}\n}}\n"
        );
        let file = dir.path().join("nginx.conf");
        std::fs::write(&file, configuration)?;
        let mut command = Command::new("nginx");
        command
            .env("OTEL_SERVICE_NAME", "e2e-nginx")
            .arg("-p")
            .arg(dir.path())
            .arg("-c")
            .arg(&file);
        let mut daemon = Daemon::start(command)?;
        daemon.await_listener(address)?;
        Ok(Self { daemon, address, _dir: dir })
    }
}

impl Server for Nginx {
    fn services(&self) -> &'static [&'static str] {
        &["e2e-nginx", "nginx"]
    }

    fn pid(&self) -> u32 {
        self.daemon.child.id()
    }

    fn load(&self) -> Result<Load> {
        let urls =
            ["small.html", "page.html"].map(|file| format!("http://{}/{file}", self.address));
        let compressed = |url: &String| {
            let mut command = wrk(url);
            command.args(["-H", "Accept-Encoding: gzip"]);
            command
        };
        Load::start(urls.iter().map(compressed))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The workers go with their master only if it is asked, not if it is killed.
        let pid = self.daemon.child.id().to_string();
        if Command::new("kill").args(["-TERM", &pid]).status().is_ok_and(|status| status.success())
        {
            drop(self.daemon.child.wait());
        }
    }
}
