//! The workload of a container: what was deployed, as far as its host name tells.

use super::Facts;

/// Kubernetes' alphabet of generated names: no vowels, and no digits that look like letters
/// (`SafeEncodeString` in k8s.io/apimachinery).
const GENERATED: &str = "bcdfghjklmnpqrstvwxz2456789";

/// A pod is named after its workload, a container by hand.
pub(super) fn of(facts: &Facts<'_>) -> Option<String> {
    let container = facts.container.filter(|container| !container.is_machine())?;
    let variable = facts.process.environment.get("HOSTNAME");
    let host_name = variable.or(facts.container_host_name)?.trim();
    // on the machine's network a pod has the machine's name; docker's default is the container's id
    if host_name.is_empty()
        || host_name == facts.host_name
        || host_name == "localhost"
        || container.id.starts_with(host_name)
    {
        return None;
    }
    let is_pod = container.pod.is_some()
        || facts.process.environment.get("KUBERNETES_SERVICE_HOST").is_some();
    Some(if is_pod { of_pod(host_name).to_owned() } else { host_name.to_owned() })
}

/// The name of a container that holds a whole system.
pub(super) fn machine_of(facts: &Facts<'_>) -> Option<String> {
    facts.container.filter(|container| container.is_machine()).map(|machine| machine.id.clone())
}

/// The workload in the name of one of its pods: Deployment `name-5d4f8c7b9-x2k4q`, `DaemonSet` and Job
/// `name-x2k4q`, `StatefulSet` `name-0`, `CronJob` `name-28391045-x2k4q`.
pub(super) fn of_pod(pod: &str) -> &str {
    let Some((rest, last)) = pod.rsplit_once('-') else { return pod };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_generated = |text: &str| text.chars().all(|character| GENERATED.contains(character));
    if last.len() <= 4 && is_digits(last) {
        return rest;
    }
    if last.len() != 5 || !is_generated(last) {
        return pod;
    }
    match rest.rsplit_once('-') {
        Some((name, hash)) if (6..=10).contains(&hash.len()) && is_generated(hash) => name,
        Some((name, minute)) if minute.len() >= 8 && is_digits(minute) => name,
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workload_is_in_the_name_of_the_pod() {
        for (pod, workload) in [
            ("shop-api-5d4f8c7b9-x2k4q", "shop-api"),
            ("shop-api-7c6f4b5d68-zx9hn", "shop-api"),
            ("node-exporter-8kqvz", "node-exporter"),
            ("postgres-0", "postgres"),
            ("kafka-broker-12", "kafka-broker"),
            ("report-28391045-x2k4q", "report"),
            ("kube-proxy", "kube-proxy"),
            ("etcd-control-plane", "etcd-control-plane"),
            ("web", "web"),
            ("shop-nginx", "shop-nginx"),
            ("", ""),
            ("-", "-"),
        ] {
            assert_eq!(of_pod(pod), workload, "{pod}");
        }
    }
}
