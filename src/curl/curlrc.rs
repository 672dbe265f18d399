//! Finds the configuration that curl reads unasked.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The user's `.curlrc` and its text, where curl would look for it.
///
/// Only the variables are followed: a home directory that no variable names isn't looked up.
pub(super) fn find(environment: &dyn Fn(&str) -> Option<OsString>) -> Option<(PathBuf, Vec<u8>)> {
    places(environment).into_iter().find_map(|path| {
        let text = super::read_all(File::open(&path).ok()?).ok()?;
        Some((path, text))
    })
}

fn places(environment: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let folder = |name| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let (curl, xdg, home) = (folder("CURL_HOME"), folder("XDG_CONFIG_HOME"), folder("HOME"));
    let dotted = |folder: &PathBuf| folder.join(".curlrc");
    let mut places: Vec<_> = curl.iter().chain(&xdg).map(dotted).collect();
    places.extend(xdg.iter().map(|folder| folder.join("curlrc")));
    places.extend(home.as_ref().map(dotted));
    if xdg.is_none() {
        let below = |folder: &PathBuf| folder.join(Path::new(".config").join("curlrc"));
        places.extend(curl.iter().chain(&home).map(below));
    }
    if cfg!(windows) {
        let homes = ["USERPROFILE", "APPDATA"].into_iter().filter_map(folder);
        places.extend(homes.flat_map(|home| [home.join(".curlrc"), home.join("_curlrc")]));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(variables: &[(&str, &str)]) -> Vec<String> {
        let environment = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        places(&environment).iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    #[cfg(unix)]
    fn it_is_sought_where_curl_seeks_it() {
        assert_eq!(listed(&[("HOME", "/h")]), ["/h/.curlrc", "/h/.config/curlrc"]);
        assert_eq!(
            listed(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]),
            ["/x/.curlrc", "/x/curlrc", "/h/.curlrc"]
        );
        assert_eq!(
            listed(&[("HOME", "/h"), ("CURL_HOME", "/c"), ("XDG_CONFIG_HOME", "")]),
            ["/c/.curlrc", "/h/.curlrc", "/c/.config/curlrc", "/h/.config/curlrc"]
        );
        assert!(listed(&[]).is_empty());
    }
}
