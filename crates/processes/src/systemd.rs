//! The systemd unit that a cgroup path leads to.
//!
//! systemd gives every unit that runs processes a cgroup of the unit's name, below those of its
//! slices; a user's manager is itself a unit (`user@UID.service`) with units of its own below.

use serde::Serialize;

/// The manager that started a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    System,
    /// The manager of the user with this id.
    User(u32),
}

/// A unit that has processes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Unit {
    /// With its suffix and unescaped, such as `postgresql@15-main.service`.
    pub name: String,
    pub manager: Manager,
}

/// Units that have a cgroup and are no slice. Sockets, mounts and swaps run helpers.
const SUFFIXES: &[&str] = &[".service", ".scope", ".socket", ".mount", ".swap"];
/// Cgroups that a container manager puts between itself and the init of the container.
const PAYLOADS: &[&str] = &["payload", "container", "ns"];

impl Unit {
    /// The unit of a process at `path`: the innermost manager's, if a user's manager stands in it.
    pub fn of_cgroup(path: &str) -> Option<Self> {
        let mut segments = path
            .split('/')
            .filter(|segment| !matches!(*segment, "" | ".." | "."))
            .map(|segment| segment.strip_prefix('_').unwrap_or(segment));
        let mut unit: Option<Self> = None;
        let mut manager = Manager::System;
        for segment in segments.by_ref() {
            let is_payload = unit.is_none() && PAYLOADS.contains(&segment);
            if is_payload || is_unit_name(segment, ".slice") {
                continue;
            }
            if !SUFFIXES.iter().any(|suffix| is_unit_name(segment, suffix)) {
                break;
            }
            unit = Some(Self { name: unescape(segment), manager });
            match user_manager(segment) {
                Some(uid) if manager == Manager::System => manager = Manager::User(uid),
                _ => break,
            }
        }
        unit
    }

    /// What a person would call the unit if it is a service that someone set up: not a session, not a
    /// user's manager, not one that `systemd-run` made up a name for.
    pub fn service_name(&self) -> Option<&str> {
        let name = self.name.strip_suffix(".service")?;
        let is_transient = name.strip_prefix("run-").is_some_and(|id| {
            id.starts_with(['u', 'r', 'p'])
                && id[1..]
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'i'))
        });
        (!is_transient && !name.starts_with("user@")).then_some(name)
    }
}

fn is_unit_name(segment: &str, suffix: &str) -> bool {
    segment.strip_suffix(suffix).is_some_and(|name| !name.is_empty())
}

fn user_manager(segment: &str) -> Option<u32> {
    segment.strip_prefix("user@")?.strip_suffix(".service")?.parse().ok()
}

/// Undoes the `\x2d` escapes of unit names (systemd.unit(5)). A `-` that stands for a `/` stays: only
/// the unit's author knows which.
pub(crate) fn unescape(name: &str) -> String {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        if let Some(byte) = escaped_byte(rest) {
            plain.push(byte);
            rest = &rest[4..];
        } else {
            plain.push(first);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn escaped_byte(bytes: &[u8]) -> Option<u8> {
    let digits = bytes.strip_prefix(b"\\x")?.get(..2)?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(digits[0])? << 4 | digit(digits[1])?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_unit_and_its_name_follow_from_the_path() {
        use Manager::{System, User};
        let table = [
            ("/system.slice/nginx.service", "nginx.service", System, Some("nginx")),
            (
                "/system.slice/system-postgresql.slice/postgresql@15-main.service",
                "postgresql@15-main.service",
                System,
                Some("postgresql@15-main"),
            ),
            (
                "/system.slice/system-app\\x2dserver.slice/app\\x2dserver@a\\x2db.service",
                "app-server@a-b.service",
                System,
                Some("app-server@a-b"),
            ),
            ("/system.slice/foo.service/workers/1", "foo.service", System, Some("foo")),
            ("/system.slice/_cgroup.service", "cgroup.service", System, Some("cgroup")),
            ("/system.slice/dbus.socket", "dbus.socket", System, None),
            ("/init.scope", "init.scope", System, None),
            ("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", System, None),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service",
                "foo.service",
                User(1000),
                Some("foo"),
            ),
            (
                "/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.kde.konsole-4.scope",
                "app-org.kde.konsole-4.scope",
                User(1000),
                None,
            ),
            (
                "/user.slice/user-1000.slice/user@1000.service/init.scope",
                "init.scope",
                User(1000),
                None,
            ),
            ("/user.slice/user-1000.slice/user@1000.service", "user@1000.service", System, None),
            ("/system.slice/run-u42.service", "run-u42.service", System, None),
            ("/system.slice/run-r0af3.service", "run-r0af3.service", System, None),
            ("/system.slice/run-p12-i34.service", "run-p12-i34.service", System, None),
            ("/system.slice/run-users.service", "run-users.service", System, Some("run-users")),
            ("/payload/system.slice/ssh.service", "ssh.service", System, Some("ssh")),
            ("/../../system.slice/ssh.service", "ssh.service", System, Some("ssh")),
        ];
        for (path, name, manager, service) in table {
            let unit = Unit::of_cgroup(path).unwrap_or_else(|| panic!("no unit in {path}"));
            assert_eq!((unit.name.as_str(), unit.manager), (name, manager), "{path}");
            assert_eq!(unit.service_name(), service, "{path}");
        }
    }

    #[test]
    fn a_path_without_a_unit_has_none() {
        for path in ["", "/", "/system.slice", "/docker/abc", "/.service", "/a/b.service"] {
            assert_eq!(Unit::of_cgroup(path), None, "{path}");
        }
    }

    #[test]
    fn escapes_are_undone_where_they_are_whole() {
        for (name, plain) in
            [("a\\x2db", "a-b"), ("\\x2", "\\x2"), ("\\xzz", "\\xzz"), ("\\\\x41", "\\A"), ("", "")]
        {
            assert_eq!(unescape(name), plain);
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_the_parser_panic(path in "\\PC{0,60}(\\.service|\\.scope|/user@1\\.service/|run-u|\\\\x){0,3}\\PC{0,20}") {
            if let Some(unit) = Unit::of_cgroup(&path) {
                unit.service_name();
            }
        }
    }
}
