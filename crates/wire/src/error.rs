use infrared_profile::protobuf::TooMuch;

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WireError {
    #[error("the request is too costly or malformed: {0}")]
    TooMuch(#[from] TooMuch),
    #[error("the body is no OTLP profiles request: {0}")]
    Proto(#[from] prost::DecodeError),
    #[error(
        "the sender uses the profiles protocol of opentelemetry-proto 1.9 or older, whose samples have other \
         field numbers; send with 1.10 or newer"
    )]
    OldProtocol,
    #[error("{table} {index} is not in its table, which has {len} entries")]
    Index { table: &'static str, index: i64, len: usize },
    #[error("a sample has {values} values but {timestamps} timestamps")]
    Shape { values: usize, timestamps: usize },
    #[error("a sample has neither values nor timestamps")]
    EmptySample,
    #[error("a sample has a negative value")]
    Negative,
    #[error("the values of a profile exceed 64 bits")]
    Overflow,
    #[error("{what} exceeds the limit of {limit}")]
    Limit { what: &'static str, limit: usize },
}
