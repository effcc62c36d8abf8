//! Names of Java archives: `shop-api-1.2.3-SNAPSHOT-all.jar` is version `1.2.3-SNAPSHOT` of `shop-api`.

/// What build tools append to the name of an archive that holds everything.
const CLASSIFIERS: &[&str] = &[
    "-all",
    "-assembly",
    "-boot",
    "-exec",
    "-executable",
    "-fat",
    "-jar-with-dependencies",
    "-runner",
    "-shaded",
    "-standalone",
    "-uber",
    "-with-dependencies",
];

/// The name and version in the name of an archive.
pub(super) fn name_and_version(path: &str) -> (String, Option<String>) {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = [".jar", ".war", ".ear"]
        .iter()
        .find_map(|suffix| file.strip_suffix(suffix))
        .unwrap_or(file);
    let stem = CLASSIFIERS.iter().find_map(|suffix| stem.strip_suffix(suffix)).unwrap_or(stem);
    let version_at = stem.match_indices('-').map(|(at, _)| at).find(|&at| {
        let version = &stem[at + 1..];
        let number = version.split('-').next().unwrap_or(version);
        at > 0
            && number.starts_with(|first: char| first.is_ascii_digit())
            && number
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || ".+_".contains(character))
            && (number.contains('.') || number.chars().all(|digit| digit.is_ascii_digit()))
    });
    match version_at {
        Some(at) => (stem[..at].to_owned(), Some(stem[at + 1..].to_owned())),
        None => (stem.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_told_from_the_name() {
        for (path, name, version) in [
            ("/opt/app.jar", "app", None),
            ("app-1.2.3.jar", "app", Some("1.2.3")),
            ("shop-api-1.2.3-SNAPSHOT-all.jar", "shop-api", Some("1.2.3-SNAPSHOT")),
            ("shop-v2-0.1.jar", "shop-v2", Some("0.1")),
            ("log4j-1.2-api-2.17.1.jar", "log4j", Some("1.2-api-2.17.1")),
            ("s3-proxy.jar", "s3-proxy", None),
            ("base-64x.jar", "base-64x", None),
            ("shop-20240102.war", "shop", Some("20240102")),
            ("jenkins.war", "jenkins", None),
            ("quarkus-run.jar", "quarkus-run", None),
            ("shop-1.0.0.Final-runner.jar", "shop", Some("1.0.0.Final")),
            ("-1.0.jar", "-1.0", None),
            (".jar", "", None),
        ] {
            assert_eq!(
                name_and_version(path),
                (name.to_owned(), version.map(str::to_owned)),
                "{path}"
            );
        }
    }
}
