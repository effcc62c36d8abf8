//! `/proc/PID/cgroup`: where a process stands in each cgroup hierarchy (cgroups(7)).

use crate::{Error, ProcessDir};

/// A dozen hierarchies with paths of at most 4 KiB each.
const LONGEST: u64 = 128 * 1024;

/// A line: one hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup {
    /// 0 for cgroup v2.
    pub hierarchy: u32,
    /// Empty for v2, such as `cpu,cpuacct` or `name=systemd` for v1.
    pub controllers: String,
    /// From the root of our cgroup namespace; begins with `/..` when it is outside.
    pub path: String,
}

/// All hierarchies that a process is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cgroups(pub Vec<Cgroup>);

impl Cgroups {
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| {
            let mut fields = line.splitn(3, ':');
            let hierarchy = fields.next()?.parse().ok()?;
            let controllers = fields.next()?.to_owned();
            let path = fields.next()?;
            // so the kernel marks a cgroup that was removed under a zombie
            let path = path.strip_suffix(" (deleted)").unwrap_or(path).to_owned();
            path.starts_with('/').then_some(Cgroup { hierarchy, controllers, path })
        });
        Self(lines.collect())
    }

    /// The path in cgroup v2.
    pub fn unified(&self) -> Option<&str> {
        self.0.iter().find(|cgroup| cgroup.hierarchy == 0).map(|cgroup| cgroup.path.as_str())
    }

    /// The distinct paths, those that say most about units and containers first: v2, then systemd's
    /// own v1 hierarchy, then the others. Root directories say nothing and are left out.
    pub fn paths(&self) -> Vec<&str> {
        let rank = |cgroup: &&Cgroup| match cgroup.controllers.as_str() {
            "" => 0,
            "name=systemd" => 1,
            _ => 2,
        };
        let mut cgroups: Vec<&Cgroup> = self.0.iter().filter(|cgroup| cgroup.path != "/").collect();
        cgroups.sort_by_key(rank);
        let mut paths: Vec<&str> = Vec::new();
        for cgroup in cgroups {
            if !paths.contains(&cgroup.path.as_str()) {
                paths.push(&cgroup.path);
            }
        }
        paths
    }
}

impl ProcessDir {
    /// The cgroups. None on a kernel without cgroups.
    pub fn cgroups(&self) -> Result<Cgroups, Error> {
        match self.read("cgroup", LONGEST) {
            Ok(bytes) => Ok(Cgroups::parse(&String::from_utf8_lossy(&bytes))),
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(Cgroups::default())
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_paths_come_first_and_once() {
        let cgroups = Cgroups::parse(
            "12:memory:/docker/abc\n9:cpu,cpuacct:/docker/abc\n1:name=systemd:/system.slice/a:b.service\n\
             3:devices:/\n0::/x (deleted)\nrubbish\n7:pids:relative\n",
        );
        assert_eq!(cgroups.unified(), Some("/x"));
        assert_eq!(cgroups.paths(), ["/x", "/system.slice/a:b.service", "/docker/abc"]);
    }
}
