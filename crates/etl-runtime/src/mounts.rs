//! The volumes of a pod: where objects may be read from unless ETL_FQN_ROOTS says otherwise.
//!
//! A target and its pod share the target's disks as volumes, each a mount of its own. The container's own file system,
//! those of the kernel, and what Kubernetes mounts below `/etc`, `/run` and `/var/run` (names, secrets) are no volumes.

use std::path::PathBuf;

/// Kernel's and container's own places.
const NOT_VOLUMES: [&str; 7] = ["/proc", "/sys", "/dev", "/etc", "/run", "/var/run", "/boot"];

/// The mount points of volumes in a text such as `/proc/self/mountinfo`, outermost first, none inside another.
pub fn volumes(mountinfo: &str) -> Vec<PathBuf> {
    // ID, parent, device, root, then the mount point.
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped);
    let mut volumes: Vec<PathBuf> = points
        .map(PathBuf::from)
        .filter(|point| point.parent().is_some() && !NOT_VOLUMES.iter().any(|place| point.starts_with(place)))
        .collect();
    volumes.sort();
    let mut outermost: Vec<PathBuf> = Vec::new();
    for volume in volumes {
        if !outermost.iter().any(|outer| volume.starts_with(outer)) {
            outermost.push(volume);
        }
    }
    outermost
}

/// Blanks, tabs, line ends and backslashes are written in octal.
fn unescaped(point: &str) -> String {
    let named = [(r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", r"\")];
    named.iter().fold(point.to_owned(), |text, (code, character)| text.replace(code, character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_the_mounts_that_neither_container_nor_kernel_own() {
        let mountinfo = "\
100 99 0:50 / / rw,relatime - overlay overlay rw
101 100 0:51 / /proc rw - proc proc rw
102 100 0:52 / /dev/shm rw - tmpfs shm rw
103 100 8:1 /pods/hosts /etc/hosts rw - ext4 /dev/sda1 rw
104 100 0:53 / /run/secrets/kubernetes.io/serviceaccount ro - tmpfs tmpfs rw
105 100 8:2 / /ais/mp\\0401 rw - xfs /dev/sdb rw
106 105 8:3 / /ais/mp\\0401/inner rw - xfs /dev/sdc rw
107 100 8:4 / /data rw - xfs /dev/sdd rw
";
        assert_eq!(volumes(mountinfo), [PathBuf::from("/ais/mp 1"), PathBuf::from("/data")]);
        assert!(volumes("").is_empty());
    }
}
