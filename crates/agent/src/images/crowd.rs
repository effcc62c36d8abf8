//! Which images make room for others. Pure.

use std::collections::HashMap;

use super::ImageId;

/// What the choice goes by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub(super) image: ImageId,
    /// Whose process mapped it first.
    pub(super) user: u32,
    /// Later uses have larger numbers.
    pub(super) used: u64,
}

/// The `count` images that go: of whoever has the most, the one not used for longest; and so on. So nobody's images are
/// crowded out by those of somebody who has more.
pub(super) fn to_evict(members: impl Iterator<Item = Member>, count: usize) -> Vec<ImageId> {
    let mut by_user: HashMap<u32, Vec<Member>> = HashMap::new();
    for member in members {
        by_user.entry(member.user).or_default().push(member);
    }
    let mut users: Vec<Vec<Member>> = by_user.into_values().collect();
    for images in &mut users {
        // The next one to go is the last.
        images.sort_unstable_by_key(|member| std::cmp::Reverse(member.used));
    }
    let mut gone = Vec::with_capacity(count);
    while gone.len() < count {
        let most = users.iter_mut().max_by_key(|images| (images.len(), oldest(images)));
        match most.and_then(Vec::pop) {
            Some(member) => gone.push(member.image),
            None => break,
        }
    }
    gone
}

/// Larger the longer its oldest image was not used.
fn oldest(images: &[Member]) -> std::cmp::Reverse<u64> {
    std::cmp::Reverse(images.last().map_or(u64::MAX, |member| member.used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_most_gives_up_the_oldest_until_all_have_as_many() {
        let member = |image, user, used| Member { image: ImageId(image), user, used };
        let flood = (100..106).map(|image| member(image, 1000, u64::from(image)));
        let system = [member(1, 0, 7), member(2, 0, 3), member(3, 0, 5)];
        let members: Vec<_> = flood.chain(system).collect();
        let gone = |count| to_evict(members.iter().copied(), count);
        assert_eq!(gone(3), [100, 101, 102].map(ImageId));
        // Now three each: the oldest of all.
        assert_eq!(gone(5), [100, 101, 102, 2, 103].map(ImageId));
        assert_eq!(gone(20).len(), 9);
    }
}
