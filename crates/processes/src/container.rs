//! The container that a cgroup path leads to.
//!
//! Container managers put the id of a container into the name of its cgroup, each in its own way, and
//! differently for cgroup drivers `cgroupfs` and `systemd`, v1 and v2. Only the path is looked at: the
//! name that a person gave to the container is not in it, but for LXC and systemd-nspawn.

use serde::Serialize;

use crate::systemd;

/// Who made the container, as far as the path tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    Docker,
    Containerd,
    CriO,
    Podman,
    Lxc,
    Nspawn,
    Ecs,
    Garden,
    BuildKit,
    /// The path has the form of a container's, and no word on who made it.
    Unknown,
}

/// Quality of service class of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Qos {
    Guaranteed,
    Burstable,
    BestEffort,
}

/// The Kubernetes pod of a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Pod {
    /// A UUID with `-`, or the 32 hex digits of a static pod.
    pub uid: String,
    pub qos: Qos,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Container {
    /// 64 hex digits as a rule; the machine's name for LXC and systemd-nspawn.
    pub id: String,
    pub runtime: Runtime,
    pub pod: Option<Pod>,
    /// The task id of Amazon ECS.
    pub ecs_task: Option<String>,
}

impl Container {
    /// Whether a whole system runs in it, whose name is `id`.
    pub fn is_machine(&self) -> bool {
        matches!(self.runtime, Runtime::Lxc | Runtime::Nspawn)
    }

    /// The first 12 digits, as `docker ps` shows them.
    pub fn short_id(&self) -> &str {
        if self.is_machine() { &self.id } else { self.id.get(..12).unwrap_or(&self.id) }
    }
}

/// A container in a cgroup path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location<'a> {
    pub container: Container,
    /// The part of the path that tells of the unit within the container: what follows the
    /// container's own cgroup. Where a unit runs its container below itself (`podman
    /// --cgroups=split`), what stands before it.
    pub unit_path: &'a str,
}

/// The innermost container in `path`.
pub fn locate(path: &str) -> Option<Location<'_>> {
    let mut walk = Walk::default();
    let mut begin = 0;
    for segment in path.split('/') {
        let end = begin + segment.len();
        walk.enter(segment);
        if let Some((id, runtime)) = walk.container_in(segment) {
            let is_split = segment.starts_with(PODMAN_SPLIT);
            let unit_path = if is_split { &path[..begin] } else { &path[end..] };
            walk.found = Some((id, runtime, unit_path));
        }
        walk.previous = Some(segment);
        begin = end + 1;
    }
    let (id, runtime, unit_path) = walk.found?;
    let container = Container { id, runtime, pod: walk.pod, ecs_task: walk.ecs_task };
    Some(Location { container, unit_path })
}

const PODMAN_SPLIT: &str = "libpod-payload-";

/// What stands before the id in the name of a scope, or of a plain cgroup.
const PREFIXES: &[(&str, Runtime)] = &[
    ("docker-", Runtime::Docker),
    ("cri-containerd-", Runtime::Containerd),
    ("nerdctl-", Runtime::Containerd),
    ("crio-", Runtime::CriO),
    ("cri-o-", Runtime::CriO),
    (PODMAN_SPLIT, Runtime::Podman),
    ("libpod-", Runtime::Podman),
];

/// The words of `slice:prefix:id`, the form of the OCI option `cgroupsPath` that containerd leaves
/// when a cgroupfs driver gets a systemd path.
const COLON_WORDS: &[(&str, Runtime)] = &[
    ("cri-containerd", Runtime::Containerd),
    ("nerdctl", Runtime::Containerd),
    ("docker", Runtime::Docker),
    ("crio", Runtime::CriO),
    ("libpod", Runtime::Podman),
];

#[derive(Default)]
struct Walk<'a> {
    previous: Option<&'a str>,
    qos: Option<Qos>,
    is_kubepods: bool,
    is_ecs: bool,
    pod: Option<Pod>,
    ecs_task: Option<String>,
    found: Option<(String, Runtime, &'a str)>,
}

impl Walk<'_> {
    /// Takes note of what a segment says about those below it.
    fn enter(&mut self, segment: &str) {
        let name = segment.split(':').next().unwrap_or(segment);
        let name = name.strip_suffix(".slice").unwrap_or(name);
        // kubelet in a container (kind, k3d) begins anew: kubelet-kubepods-…, kubelet/kubepods/…
        let kube = name.strip_prefix("kubelet-").unwrap_or(name);
        if kube == "kubepods" || kube.starts_with("kubepods-") {
            (self.is_kubepods, self.qos) = (true, None);
        }
        if self.is_kubepods {
            if kube == "besteffort" || kube.starts_with("kubepods-besteffort") {
                self.qos = Some(Qos::BestEffort);
            } else if kube == "burstable" || kube.starts_with("kubepods-burstable") {
                self.qos = Some(Qos::Burstable);
            }
        }
        let uid = kube.strip_prefix("pod").or_else(|| {
            kube.starts_with("kubepods-").then(|| kube.rsplit_once("-pod").map(|(_, uid)| uid))?
        });
        if let Some(uid) = uid.and_then(pod_uid) {
            self.pod = Some(Pod { uid, qos: self.qos.unwrap_or(Qos::Guaranteed) });
        }
        if self.previous == Some("ecs") || segment.starts_with("ecstasks-") {
            let task = segment.strip_prefix("ecstasks-").unwrap_or(segment);
            let task = task.strip_suffix(".slice").unwrap_or(task);
            self.is_ecs = true;
            self.ecs_task = Some(task.to_owned());
        }
    }

    /// The container whose own cgroup is called `segment`.
    fn container_in(&self, segment: &str) -> Option<(String, Runtime)> {
        let name = segment.strip_suffix(".scope").unwrap_or(segment);
        let mut words = segment.split(':');
        if let (Some(_), Some(word), Some(id), None) =
            (words.next(), words.next(), words.next(), words.next())
        {
            let (_, runtime) = COLON_WORDS.iter().find(|(known, _)| *known == word)?;
            return is_hex_id(id).then(|| (id.to_owned(), *runtime));
        }
        for (prefix, runtime) in PREFIXES {
            if let Some(id) = name.strip_prefix(prefix).filter(|id| is_hex_id(id)) {
                return Some((id.to_owned(), *runtime));
            }
        }
        self.machine_in(segment).or_else(|| self.plain_id_in(segment))
    }

    /// Whole systems: LXC and systemd-nspawn.
    fn machine_in(&self, segment: &str) -> Option<(String, Runtime)> {
        let lxc = match self.previous {
            Some("lxc" | "lxc.payload") => Some(segment),
            _ => segment.strip_prefix("lxc.payload."),
        };
        if let Some(name) = lxc.filter(|name| !name.is_empty()) {
            return Some((name.to_owned(), Runtime::Lxc));
        }
        let nspawn =
            segment.strip_prefix("systemd-nspawn@").and_then(|name| name.strip_suffix(".service"));
        if let Some(name) = nspawn {
            return Some((systemd::unescape(name), Runtime::Nspawn));
        }
        if self.previous != Some("machine.slice") {
            return None;
        }
        let name = segment.strip_prefix("machine-")?.strip_suffix(".scope")?;
        match systemd::unescape(name) {
            // libvirt: a virtual machine, its threads are not of a container
            name if name.starts_with("qemu-") => None,
            name => match name.strip_prefix("lxc-") {
                Some(lxc) => Some((lxc.to_owned(), Runtime::Lxc)),
                None => Some((name, Runtime::Nspawn)),
            },
        }
    }

    /// An id without a word before it; the parent tells whose it is.
    fn plain_id_in(&self, segment: &str) -> Option<(String, Runtime)> {
        let runtime = match self.previous {
            Some("docker") => Runtime::Docker,
            Some("garden") if is_garden_handle(segment) => {
                return Some((segment.to_owned(), Runtime::Garden));
            }
            Some("buildkit") if is_word(segment, 25) => {
                return Some((segment.to_owned(), Runtime::BuildKit));
            }
            Some("libpod_parent") => Runtime::Podman,
            _ if self.is_ecs => Runtime::Ecs,
            _ => Runtime::Unknown,
        };
        if self.is_ecs && is_fargate_id(segment) {
            return Some((segment.to_owned(), Runtime::Ecs));
        }
        is_hex_id(segment).then(|| (segment.to_owned(), runtime))
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_hex_id(text: &str) -> bool {
    text.len() == 64 && is_hex(text)
}

fn is_word(text: &str, length: usize) -> bool {
    text.len() == length
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Cloud Foundry: a UUID, or groups of a similar kind.
fn is_garden_handle(text: &str) -> bool {
    let is_listed = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-');
    (11..=64).contains(&text.len()) && text.bytes().all(is_listed) && text != "garden"
}

/// Fargate: the task's 32 hex digits, `-`, and a decimal number.
fn is_fargate_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(task, number)| {
        task.len() == 32
            && is_hex(task)
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// A UUID whose groups are joined by `-` (cgroupfs) or `_` (systemd), or 32 hex digits (static pods).
fn pod_uid(text: &str) -> Option<String> {
    let plain = text.replace('_', "-");
    let groups: Vec<usize> = plain.split('-').map(str::len).collect();
    let is_uid = matches!(groups[..], [32] | [8, 4, 4, 4, 12]);
    let is_digits = plain.bytes().all(|byte| byte == b'-' || is_hex_byte(byte));
    (is_uid && is_digits).then_some(plain)
}

fn is_hex_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
#[path = "container_tests.rs"]
mod tests;
