use super::*;
use proptest::prelude::*;

const ID: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const ID2: &str = "aaaabbbbccccddddeeeeffff00001111aaaabbbbccccddddeeeeffff00001111";
const UID: &str = "8dbc5577-d0e2-4706-8787-57d52c03ddf2";

/// `ID`, `ID2`, `UID` and `U_D` in a path stand for the ids above, `U_D` for the form with `_`.
fn expand(path: &str) -> String {
    path.replace("ID2", ID2)
        .replace("U_D", &UID.replace('-', "_"))
        .replace("UID", UID)
        .replace("ID", ID)
}

struct Case {
    path: &'static str,
    id: &'static str,
    runtime: Runtime,
    qos: Option<Qos>,
    unit_path: &'static str,
}

const fn case(
    path: &'static str,
    id: &'static str,
    runtime: Runtime,
    unit_path: &'static str,
) -> Case {
    Case { path, id, runtime, qos: None, unit_path }
}

const fn pod(path: &'static str, runtime: Runtime, qos: Qos) -> Case {
    Case { path, id: "ID", runtime, qos: Some(qos), unit_path: "" }
}

const CASES: &[Case] = &[
    // docker: cgroupfs and systemd drivers, a parent of one's own, systemd or docker within
    case("/docker/ID", "ID", Runtime::Docker, ""),
    case("/system.slice/docker-ID.scope", "ID", Runtime::Docker, ""),
    case(
        "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
        "ID",
        Runtime::Docker,
        "",
    ),
    case(
        "/mine.slice/docker-ID.scope/system.slice/nginx.service",
        "ID",
        Runtime::Docker,
        "/system.slice/nginx.service",
    ),
    case("/docker/ID/docker/ID2", "ID2", Runtime::Docker, ""),
    case("/system.slice/docker.service/docker/ID", "ID", Runtime::Docker, ""),
    case("/../../docker/ID", "ID", Runtime::Docker, ""),
    case("/actions_job/ID", "ID", Runtime::Unknown, ""),
    case(
        "/docker/buildkit/v6lzvjcgqz8fz1yhzk2gh3vlm",
        "v6lzvjcgqz8fz1yhzk2gh3vlm",
        Runtime::BuildKit,
        "",
    ),
    // containerd without Kubernetes
    case("/default/ID", "ID", Runtime::Unknown, ""),
    case("/system.slice/nerdctl-ID.scope", "ID", Runtime::Containerd, ""),
    case("/system.slice/containerd.service/system.slice:nerdctl:ID", "ID", Runtime::Containerd, ""),
    // podman: root, user, pods, below a unit
    case("/machine.slice/libpod-ID.scope", "ID", Runtime::Podman, ""),
    case("/machine.slice/libpod-ID.scope/container", "ID", Runtime::Podman, "/container"),
    case(
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
        "ID",
        Runtime::Podman,
        "/container",
    ),
    case("/machine.slice/machine-libpod_pod_ID2.slice/libpod-ID.scope", "ID", Runtime::Podman, ""),
    case("/libpod_parent/libpod-ID", "ID", Runtime::Podman, ""),
    case("/libpod_parent/ID", "ID", Runtime::Podman, ""),
    case(
        "/system.slice/web.service/libpod-payload-ID",
        "ID",
        Runtime::Podman,
        "/system.slice/web.service/",
    ),
    // whole systems
    case("/lxc/web1", "web1", Runtime::Lxc, ""),
    case(
        "/lxc/web1/system.slice/nginx.service",
        "web1",
        Runtime::Lxc,
        "/system.slice/nginx.service",
    ),
    case("/lxc/web1/ns/init.scope", "web1", Runtime::Lxc, "/ns/init.scope"),
    case(
        "/lxc.payload.db-2/system.slice/postgresql@15-main.service",
        "db-2",
        Runtime::Lxc,
        "/system.slice/postgresql@15-main.service",
    ),
    case("/lxc.payload/db-2", "db-2", Runtime::Lxc, ""),
    case("/lxc.payload.node1/kubepods/besteffort/podUID/ID", "ID", Runtime::Unknown, ""),
    case(
        "/machine.slice/systemd-nspawn@deb\\x2d12.service/payload/system.slice/ssh.service",
        "deb-12",
        Runtime::Nspawn,
        "/payload/system.slice/ssh.service",
    ),
    case("/machine.slice/machine-deb12.scope/payload", "deb12", Runtime::Nspawn, "/payload"),
    case("/machine.slice/machine-lxc\\x2d4242\\x2dweb.scope", "4242-web", Runtime::Lxc, ""),
    // ECS: on EC2, with systemd, Fargate
    case("/ecs/c0ffee00-1111-2222-3333-444455556666/ID", "ID", Runtime::Ecs, ""),
    case("/ecs/my-cluster/c0ffee0011112222333344445555666/ID", "ID", Runtime::Ecs, ""),
    case(
        "/ecstasks.slice/ecstasks-9781c248edd94f56a1bf35a3e5cf1b44.slice/docker-ID.scope",
        "ID",
        Runtime::Docker,
        "",
    ),
    case(
        "/ecs/9781c248edd94f56a1bf35a3e5cf1b44/9781c248edd94f56a1bf35a3e5cf1b44-2229141386",
        "9781c248edd94f56a1bf35a3e5cf1b44-2229141386",
        Runtime::Ecs,
        "",
    ),
    // Cloud Foundry
    case(
        "/garden/6f265890-5165-7fab-6b52-18d1",
        "6f265890-5165-7fab-6b52-18d1",
        Runtime::Garden,
        "",
    ),
    case(
        "/system.slice/garden.service/garden/6f265890-5165-7fab-6b52-18d1",
        "6f265890-5165-7fab-6b52-18d1",
        Runtime::Garden,
        "",
    ),
    // Kubernetes: cgroupfs driver
    pod("/kubepods/podUID/ID", Runtime::Unknown, Qos::Guaranteed),
    pod("/kubepods/burstable/podUID/ID", Runtime::Unknown, Qos::Burstable),
    pod("/kubepods/besteffort/podUID/ID", Runtime::Unknown, Qos::BestEffort),
    pod("/kubepods/burstable/podUID/crio-ID", Runtime::CriO, Qos::Burstable),
    pod(
        "/kubepods/besteffort/pod3f1e9ff1d0ac3a8b3a35cbf2a1e5b7c4/ID",
        Runtime::Unknown,
        Qos::BestEffort,
    ),
    // Kubernetes: systemd driver
    pod(
        "/kubepods.slice/kubepods-podU_D.slice/cri-containerd-ID.scope",
        Runtime::Containerd,
        Qos::Guaranteed,
    ),
    pod(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_D.slice/cri-containerd-ID.scope",
        Runtime::Containerd,
        Qos::Burstable,
    ),
    pod(
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_D.slice/crio-ID.scope",
        Runtime::CriO,
        Qos::BestEffort,
    ),
    pod(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_D.slice/docker-ID.scope",
        Runtime::Docker,
        Qos::Burstable,
    ),
    pod(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod3f1e9ff1d0ac3a8b3a35cbf2a1e5b7c4.slice/crio-ID.scope",
        Runtime::CriO,
        Qos::Burstable,
    ),
    pod(
        "/system.slice/containerd.service/kubepods-burstable-podU_D.slice:cri-containerd:ID",
        Runtime::Containerd,
        Qos::Burstable,
    ),
    pod(
        "/kubepods-besteffort-podU_D.slice:cri-containerd:ID",
        Runtime::Containerd,
        Qos::BestEffort,
    ),
    pod("/../../podUID/ID", Runtime::Unknown, Qos::Guaranteed),
    // kind: a node that is a container
    pod("/docker/ID2/kubelet/kubepods/besteffort/podUID/ID", Runtime::Unknown, Qos::BestEffort),
    pod(
        "/docker/ID2/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podU_D.slice/cri-containerd-ID.scope",
        Runtime::Containerd,
        Qos::Burstable,
    ),
    pod(
        "/system.slice/docker-ID2.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podU_D.slice/cri-containerd-ID.scope",
        Runtime::Containerd,
        Qos::Guaranteed,
    ),
];

#[test]
fn the_container_is_found_in_the_paths_of_all_managers() {
    for case in CASES {
        let path = expand(case.path);
        let found = locate(&path).unwrap_or_else(|| panic!("no container in {path}"));
        assert_eq!(found.container.id, expand(case.id), "{path}");
        assert_eq!(found.container.runtime, case.runtime, "{path}");
        assert_eq!(found.unit_path, case.unit_path, "{path}");
        if let Some(qos) = case.qos {
            let pod = found.container.pod.unwrap_or_else(|| panic!("no pod in {path}"));
            assert_eq!(pod.qos, qos, "{path}");
            if case.path.contains("UID") || case.path.contains("U_D") {
                assert_eq!(pod.uid, UID, "{path}");
            } else {
                assert_eq!(pod.uid, "3f1e9ff1d0ac3a8b3a35cbf2a1e5b7c4", "{path}");
            }
        }
    }
}

#[test]
fn what_only_looks_like_a_container_is_none() {
    for path in [
        "",
        "/",
        "/init.scope",
        "/system.slice/nginx.service",
        "/system.slice/docker.service",
        "/system.slice/containerd.service",
        "/user.slice/user-1000.slice/session-3.scope",
        "/machine.slice/libpod-conmon-ID.scope",
        "/system.slice/crio-conmon-ID.scope",
        "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
        "/lxc",
        "/lxc.monitor.web1",
        "/lxc.monitor/web1",
        "/docker/short",
        "/system.slice/docker-ID2ff.scope",
        "/kubepods.slice/kubepods-burstable.slice",
        "/kubepods/burstable/podUID",
        "/memory/process_api/021464b1c53e1ce9d28a7c6916444077",
    ] {
        assert_eq!(locate(&expand(path)), None, "{path}");
    }
}

#[test]
fn the_task_of_ecs_is_told() {
    for (path, task) in [
        ("/ecs/c0ffee00-1111-2222-3333-444455556666/ID", "c0ffee00-1111-2222-3333-444455556666"),
        ("/ecstasks.slice/ecstasks-9781c248edd94f56.slice/docker-ID.scope", "9781c248edd94f56"),
    ] {
        let path = expand(path);
        let found = locate(&path).unwrap();
        assert_eq!(found.container.ecs_task.as_deref(), Some(task));
    }
}

proptest! {
    #[test]
    fn no_path_makes_the_parser_panic(path in "[/a-f0-9:._@é-]{0,40}(/docker-|/pod|/kubepods-|:|/lxc/|/ecs/|\\.slice|\\.scope){0,3}[^\n]{0,80}") {
        if let Some(found) = locate(&path) {
            prop_assert!(!found.container.id.is_empty());
            found.container.short_id();
        }
    }
}
