//! Bytes to a request, once it is known that its memory stays within bounds.

use infrared_profile::protobuf::{self, Content, Shape};
use prost::Message;

use crate::proto::collector::ExportProfilesServiceRequest;
use crate::proto::common::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use crate::proto::profiles as otlp;
use crate::proto::resource::Resource;
use crate::{Limits, WireError};

/// Decodes the body of an export request. Samples of the protocol before 1.10 that do not even decode are told apart
/// from garbage: field 3 was a list then and is a number now.
pub fn decode_request(
    body: &[u8],
    limits: &Limits,
) -> Result<ExportProfilesServiceRequest, WireError> {
    protobuf::decoded_bytes(body, &REQUEST, limits.decoded_bytes)?;
    ExportProfilesServiceRequest::decode(body).map_err(|error| {
        if error.to_string().contains("Sample.link_index: ") {
            WireError::OldProtocol
        } else {
            WireError::Proto(error)
        }
    })
}

macro_rules! shape {
    ($name:ident, $message:ty, [$($number:literal: $content:expr),*]) => {
        static $name: Shape =
            Shape { bytes: size_of::<$message>(), fields: &[$(($number, $content)),*] };
    };
}
use Content::{Message as Sub, Packed};

shape!(REQUEST, ExportProfilesServiceRequest, [1: Sub(&RESOURCE_PROFILES), 2: Sub(&DICTIONARY)]);
shape!(RESOURCE_PROFILES, otlp::ResourceProfiles, [1: Sub(&RESOURCE), 2: Sub(&SCOPE_PROFILES)]);
// an entity reference (field 3) is two strings and two lists of strings
shape!(RESOURCE, Resource, [1: Sub(&KEY_VALUE), 3: Sub(&ENTITY)]);
shape!(ENTITY, [String; 4], []);
shape!(SCOPE_PROFILES, otlp::ScopeProfiles, [1: Sub(&SCOPE), 2: Sub(&PROFILE)]);
shape!(SCOPE, InstrumentationScope, [3: Sub(&KEY_VALUE)]);
shape!(PROFILE, otlp::Profile, [
    1: Sub(&VALUE_TYPE), 2: Sub(&SAMPLE), 5: Sub(&VALUE_TYPE), 11: Packed
]);
shape!(VALUE_TYPE, otlp::ValueType, []);
shape!(SAMPLE, otlp::Sample, [2: Packed, 4: Packed]);
shape!(DICTIONARY, otlp::ProfilesDictionary, [
    1: Sub(&MAPPING), 2: Sub(&LOCATION), 3: Sub(&FUNCTION), 4: Sub(&LINK), 6: Sub(&ATTRIBUTE), 7: Sub(&STACK)
]);
shape!(MAPPING, otlp::Mapping, [5: Packed]);
shape!(LOCATION, otlp::Location, [3: Sub(&LINE), 4: Packed]);
shape!(LINE, otlp::Line, []);
shape!(FUNCTION, otlp::Function, []);
shape!(LINK, otlp::Link, []);
shape!(ATTRIBUTE, otlp::KeyValueAndUnit, [2: Sub(&ANY_VALUE)]);
shape!(STACK, otlp::Stack, [1: Packed]);
shape!(KEY_VALUE, KeyValue, [2: Sub(&ANY_VALUE)]);
shape!(ANY_VALUE, AnyValue, [5: Sub(&ARRAY), 6: Sub(&KEY_VALUES)]);
shape!(ARRAY, ArrayValue, [1: Sub(&ANY_VALUE)]);
shape!(KEY_VALUES, KeyValueList, [1: Sub(&KEY_VALUE)]);
