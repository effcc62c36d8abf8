//! As much of JSON Schema as `openapi.json` uses. A keyword that it does not know fails the test.

use serde_json::Value;

pub(crate) struct Document(Value);

impl Document {
    pub(crate) fn parse(text: &str) -> Self {
        Self(serde_json::from_str(text).expect("JSON"))
    }

    pub(crate) fn paths(&self) -> &serde_json::Map<String, Value> {
        self.0["paths"].as_object().expect("paths")
    }

    pub(crate) fn check(&self, schema: &Value, value: &Value, at: &str) {
        let Some(schema) = schema.as_object() else { panic!("{at}: a schema is an object") };
        for (keyword, rule) in schema {
            match keyword.as_str() {
                "$ref" => self.check(self.resolve(rule), value, at),
                "type" => check_type(rule, value, at),
                "properties" => {
                    for (name, rule) in rule.as_object().expect("properties") {
                        if let Some(value) = value.get(name) {
                            self.check(rule, value, &format!("{at}.{name}"));
                        }
                    }
                }
                "required" => {
                    for name in rule.as_array().expect("required") {
                        let name = name.as_str().expect("a name");
                        assert!(
                            value.get(name).is_some() || !value.is_object(),
                            "{at} lacks {name}"
                        );
                    }
                }
                "additionalProperties" => self.check_others(schema, rule, value, at),
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, item, &format!("{at}[{index}]"));
                    }
                }
                "minItems" | "maxItems" => {
                    let count = value.as_array().map_or(0, Vec::len) as u64;
                    let bound = rule.as_u64().expect("a bound");
                    let fits = if keyword == "minItems" { count >= bound } else { count <= bound };
                    assert!(fits, "{at} has {count} items");
                }
                "oneOf" => {
                    let null = |s: &&Value| (s["type"] == "null") == value.is_null();
                    let fitting = rule.as_array().expect("oneOf").iter().find(null);
                    self.check(fitting.expect("an alternative"), value, at);
                }
                "enum" => {
                    let values = rule.as_array().expect("values");
                    assert!(values.contains(value), "{at}: {value} is none of {values:?}");
                }
                "description" | "format" => {}
                other => panic!("{at}: the keyword {other} is not checked"),
            }
        }
    }

    fn resolve(&self, reference: &Value) -> &Value {
        let path = reference.as_str().expect("a reference").trim_start_matches('#');
        self.0.pointer(path).expect("what is referred to exists")
    }

    fn check_others(
        &self,
        schema: &serde_json::Map<String, Value>,
        rule: &Value,
        value: &Value,
        at: &str,
    ) {
        let known = |name: &String| schema.get("properties").is_some_and(|p| p.get(name).is_some());
        for (name, value) in value.as_object().into_iter().flatten().filter(|(n, _)| !known(n)) {
            match rule {
                Value::Bool(allowed) => {
                    assert!(*allowed, "{at} has {name}, which is not described");
                }
                schema => self.check(schema, value, &format!("{at}.{name}")),
            }
        }
    }
}

fn check_type(rule: &Value, value: &Value, at: &str) {
    let alternatives = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
    let fits = |name: &Value| match name.as_str().expect("a type") {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{at}: unknown type {other}"),
    };
    assert!(alternatives.iter().any(fits), "{at} is {value}, not {rule}");
}
