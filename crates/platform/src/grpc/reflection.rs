//! Reflection: a door describes what it serves, so that a program that knows nothing else can call it.

use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::service::Routes;
use tonic_reflection::server::Builder;

use super::GrpcError;

/// Every door serves these beside its own.
const EVERYWHERE: [&str; 3] =
    ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];
/// The package of what operators ask every service.
const OPERATIONS: &str = "tocsin.operations.v1";

/// Adds reflection over the services named, as `intake`; over all that the house knows where none is named.
pub(super) fn add(routes: Routes, names: &[&str]) -> Result<Routes, GrpcError> {
    let advertised = advertised(names)?;
    let builder = || {
        let builder = Builder::configure()
            .register_encoded_file_descriptor_set(tocsin_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        advertised.iter().fold(builder, tonic_reflection::server::Builder::with_service_name)
    };
    // Older clients, among them Python's, only speak v1alpha.
    let current = builder().build_v1().map_err(|_| GrpcError::Reflection)?;
    let older = builder().build_v1alpha().map_err(|_| GrpcError::Reflection)?;
    Ok(routes.add_service(current).add_service(older))
}

/// The full names of what stands in the packages of these services. Empty means everything.
fn advertised(names: &[&str]) -> Result<Vec<String>, GrpcError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let set = FileDescriptorSet::decode(tocsin_proto::FILE_DESCRIPTOR_SET).map_err(|_| GrpcError::Reflection)?;
    let packages: Vec<String> =
        names.iter().map(|name| format!("tocsin.{name}.v1")).chain([OPERATIONS.to_owned()]).collect();
    let own = set.file.iter().filter(|file| packages.iter().any(|package| package == file.package()));
    let own = own.flat_map(|file| file.service.iter().map(|service| format!("{}.{}", file.package(), service.name())));
    Ok(own.chain(EVERYWHERE.map(str::to_owned)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_describes_what_it_serves() {
        let found = advertised(&["dispatch"]).unwrap();
        for name in ["tocsin.dispatch.v1.AlertService", "tocsin.operations.v1.OperationsService", EVERYWHERE[0]] {
            assert!(found.iter().any(|found| found == name), "{name} is not in {found:?}");
        }
        assert!(!found.iter().any(|name| name.starts_with("tocsin.triage.")), "{found:?}");
        assert!(advertised(&[]).unwrap().is_empty());
    }
}
