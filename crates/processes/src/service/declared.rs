//! What a service says of itself: OpenTelemetry's and Datadog's variables, their JVM properties, and
//! pm2's name of an application.

use crate::process::Environment;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
}

/// By the environment and arguments of a process.
pub(crate) fn of(environment: &Environment, arguments: &[String]) -> Declared {
    let attributes = environment.get("OTEL_RESOURCE_ATTRIBUTES");
    let attribute = |key| attributes.and_then(|attributes| resource_attribute(attributes, key));
    let variable = |name| environment.get(name).map(str::to_owned);
    let property = |name| jvm_property(arguments, name);
    let otel_property = |key| {
        property("otel.resource.attributes").and_then(|value| resource_attribute(&value, key))
    };
    Declared {
        name: variable("OTEL_SERVICE_NAME")
            .or_else(|| attribute("service.name"))
            .or_else(|| property("otel.service.name"))
            .or_else(|| otel_property("service.name"))
            .or_else(|| variable("DD_SERVICE"))
            .or_else(|| property("dd.service"))
            .or_else(|| pm2_name(environment)),
        version: attribute("service.version")
            .or_else(|| otel_property("service.version"))
            .or_else(|| variable("DD_VERSION"))
            .or_else(|| property("dd.version")),
    }
}

/// pm2 passes the application's name as `name`, which means something only beside its `pm_id`.
fn pm2_name(environment: &Environment) -> Option<String> {
    environment.get("pm_id")?;
    environment.get("name").map(str::to_owned)
}

/// A `-Dname=value` of a java command line.
fn jvm_property(arguments: &[String], name: &str) -> Option<String> {
    arguments.iter().find_map(|argument| {
        let value = argument.strip_prefix("-D")?.strip_prefix(name)?.strip_prefix('=')?;
        (!value.is_empty()).then(|| value.to_owned())
    })
}

/// `key=value` pairs joined by commas, percent-encoded (`OpenTelemetry` specification, "Resource SDK").
fn resource_attribute(attributes: &str, wanted: &str) -> Option<String> {
    attributes.split(',').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = percent_decoded(value.trim());
        (key.trim() == wanted && !value.is_empty()).then_some(value)
    })
}

fn percent_decoded(text: &str) -> String {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digit = |at: usize| char::from(*rest.get(at)?).to_digit(16);
        if let (b'%', Some(high), Some(low)) = (first, digit(1), digit(2)) {
            plain.push((high << 4 | low) as u8);
            rest = &rest[3..];
        } else {
            plain.push(first);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_attributes_are_decoded() {
        let attributes =
            "deployment.environment=prod, service.name = shop%20api ,service.version=1%2E2,a";
        assert_eq!(resource_attribute(attributes, "service.name").unwrap(), "shop api");
        assert_eq!(resource_attribute(attributes, "service.version").unwrap(), "1.2");
        assert_eq!(resource_attribute(attributes, "service.namespace"), None);
        assert_eq!(resource_attribute("service.name=", "service.name"), None);
        assert_eq!(percent_decoded("%zz%4"), "%zz%4");
    }

    #[test]
    fn a_property_is_told_from_one_that_begins_alike() {
        let arguments = ["java", "-Ddd.servicex=no", "-Ddd.service=yes"].map(str::to_owned);
        assert_eq!(jvm_property(&arguments, "dd.service").unwrap(), "yes");
    }
}
