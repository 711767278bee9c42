//! Links the addon against the host's N-API symbols.

fn main() {
    #[cfg(feature = "napi")]
    napi_build::setup();
}
