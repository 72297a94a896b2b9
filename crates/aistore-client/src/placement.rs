//! Which target has an object: the one that gets the highest number from its own digest and that of the object's name.

use xxhash_rust::xxh64::xxh64;

use crate::{Bucket, ClusterMap, ClusterNode, Error, ObjectName};

const SEED: u64 = 1_103_515_245;

/// Digest of an object's full name, such as `ais/@#/demo/a`.
fn digest(flat_name: &str) -> u64 {
    xxh64(flat_name.as_bytes(), SEED)
}

/// Two rounds of SplitMix64, whose results are mixed as the first step of xoshiro256** mixes them.
fn mix(seed: u64) -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let shaken = |value: u64| {
        let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
    };
    let first = shaken(seed.wrapping_add(STEP));
    let second = shaken((first ^ (first >> 31)).wrapping_add(STEP));
    (second ^ (second >> 31)).wrapping_mul(5).rotate_left(7).wrapping_mul(9)
}

impl ClusterMap {
    /// The target that has, or will have, an object.
    ///
    /// # Errors
    /// [`Error::NoTarget`]: none takes requests.
    pub fn target_of(&self, bucket: &Bucket, object: &ObjectName) -> Result<&ClusterNode, Error> {
        let digest = digest(&format!("{}{object}", bucket.flat_name()));
        let targets = self.targets.values().filter(|node| !node.is_away());
        targets.max_by_key(|node| mix(node.id_digest ^ digest)).ok_or(Error::NoTarget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ais_37_digests_and_mixed_numbers_are_the_servers() {
        let digest = digest("ais/@#/bck1/obj1");
        assert_eq!(digest, 0x64e1_52bd_ff23_0b93);
        assert_eq!(mix(1), 0xc588_3e37_0b09_26c3);
        assert_eq!(mix(2), 0x2ab4_f2e4_7129_d653);
        assert_eq!(mix(0x1122_3344_5566_7788), 0x59e8_3163_5c66_0d77);
        assert_eq!(mix(1 ^ digest), 0x1acd_28a3_2e1a_1c2e);
        assert_eq!(mix(2 ^ digest), 0x916d_1595_9bc6_8d3a);
    }

    #[test]
    fn ais_36_the_highest_number_wins_and_nodes_that_are_away_never_do() {
        let node = |id: &str, id_digest, flags| {
            (id.to_owned(), ClusterNode { id: id.to_owned(), id_digest, flags, ..ClusterNode::default() })
        };
        let (bucket, object) = (Bucket::new("bck1").unwrap(), ObjectName::new("obj1").unwrap());
        let of = |targets: Vec<(String, ClusterNode)>| {
            let map = ClusterMap { targets: targets.into_iter().collect(), ..ClusterMap::default() };
            map.target_of(&bucket, &object).map(|node| node.id.clone())
        };
        // 1 gives 0x1acd…, 2 gives 0x916d…
        assert_eq!(of(vec![node("t1", 1, 0), node("t2", 2, 0)]).unwrap(), "t2");
        for flags in [4, 8, 12] {
            assert_eq!(of(vec![node("t1", 1, 2), node("t2", 2, flags), node("t3", 2, flags)]).unwrap(), "t1");
        }
        assert!(matches!(of(vec![]), Err(Error::NoTarget)));
        assert!(matches!(of(vec![node("t1", 1, 4)]), Err(Error::NoTarget)));
    }
}
