//! What went wrong with the kernel's keys, in words that a person understands.

use std::io;

use linux_keyutils::KeyError;
use rustix::io::Errno;
use rustix::process::getuid;

use crate::error::{Error, StoreFault};
use crate::store::fault;
use crate::terms::StoreKind;

/// Where the kernel tells what each user has and may have.
const USERS: &str = "/proc/key-users";

/// The fault that the kernel's answer speaks of, over the key of this entry, or over keys as such.
pub(super) fn explain(name: Option<&str>, error: KeyError) -> Error {
    let of_entry = || name.map_or_else(String::new, |name| format!(" of {name}"));
    let (kind, message) = match error {
        KeyError::AccessDenied | KeyError::PermissionDenied => match name {
            Some(name) => (StoreFault::Denied, format!("the kernel denies the key of {name}")),
            None => (StoreFault::Denied, "the kernel denies its keys to this process".to_owned()),
        },
        KeyError::OperationNotSupported => (StoreFault::Absent, ABSENT.to_owned()),
        KeyError::Unknown(code) if code == Errno::NOSYS.raw_os_error() => {
            (StoreFault::Absent, ABSENT.to_owned())
        }
        KeyError::QuotaExceeded => {
            let used = used(&std::fs::read_to_string(USERS).unwrap_or_default(), getuid().as_raw());
            let used = used.unwrap_or_else(|| "its quota is used up".to_owned());
            (StoreFault::Full, format!("the kernel takes no more keys of this user: {used}"))
        }
        KeyError::KeyRevoked => {
            (StoreFault::Corrupt, format!("somebody revoked the kernel's key{}", of_entry()))
        }
        KeyError::KeyExpired => (
            StoreFault::Corrupt,
            format!("the kernel's key{} has expired: somebody gave it an end", of_entry()),
        ),
        _ => (StoreFault::Failed, format!("the kernel failed over the key{}", of_entry())),
    };
    let cause = match (kind, error) {
        (StoreFault::Full | StoreFault::Corrupt, _) => None,
        (_, KeyError::Unknown(code)) => Some(io::Error::from_raw_os_error(code).to_string()),
        (_, known) => Some(known.to_string()),
    };
    fault(StoreKind::Kernel, kind, message, cause.map(Into::into))
}

const ABSENT: &str = "this kernel has no keys, or a sandbox hides them";

/// The list of keys can't be had.
pub(super) fn unlisted(list: &str, error: Option<io::Error>) -> Error {
    let message = format!("the kernel's keys can't be listed: {list} is hidden");
    fault(StoreKind::Kernel, StoreFault::Denied, message, error.map(Into::into))
}

/// What a user has of what it may have, from a list in which each line has a user's number, then how
/// many keys there are, and at last those that count and their bytes, each with its limit.
fn used(list: &str, user: u32) -> Option<String> {
    let line = list.lines().find_map(|line| line.trim().strip_prefix(&format!("{user}:")))?;
    let mut columns = line.split_whitespace().rev();
    let (bytes, keys) = (columns.next()?.split_once('/')?, columns.next()?.split_once('/')?);
    Some(format!("{} of {} bytes and {} of {} keys are in use", bytes.0, bytes.1, keys.0, keys.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_of_the_kernel_is_a_fault_of_its_own() {
        let of = |error| match explain(Some("a@user"), error) {
            Error::Store(error) => (error.fault, error.message),
            error => panic!("{error}"),
        };
        for denied in [KeyError::AccessDenied, KeyError::PermissionDenied] {
            assert_eq!(
                of(denied),
                (StoreFault::Denied, "the kernel denies the key of a@user".into())
            );
        }
        assert_eq!(of(KeyError::Unknown(38)), (StoreFault::Absent, ABSENT.into()));
        assert_eq!(of(KeyError::QuotaExceeded).0, StoreFault::Full);
        let revoked = "somebody revoked the kernel's key of a@user".into();
        assert_eq!(of(KeyError::KeyRevoked), (StoreFault::Corrupt, revoked));
        assert_eq!(of(KeyError::KeyExpired).0, StoreFault::Corrupt);
        assert_eq!(of(KeyError::OutOfMemory).0, StoreFault::Failed);
        let error = explain(None, KeyError::Unknown(5));
        assert_eq!(
            error.sentence(),
            "the kernel failed over the key: Input/output error (os error 5)"
        );
    }

    #[test]
    fn what_is_used_of_a_quota_is_read_for_this_user_alone() {
        let list = "    0:    11 10/10 5/1000000 60/25000000\n 1000:     4 4/4 3/200 19000/20000\n";
        let of_thousand = "19000 of 20000 bytes and 3 of 200 keys are in use";
        assert_eq!(used(list, 1000).as_deref(), Some(of_thousand));
        assert!(used(list, 0).unwrap().starts_with("60 of 25000000 bytes"));
        assert_eq!(used(list, 100), None);
        assert_eq!(used("", 0), None);
    }
}
