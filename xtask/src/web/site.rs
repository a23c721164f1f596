//! The files that are served, and a comparison of received files with them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::shell::{self, Outcome};

pub(super) const LARGE: usize = 100_000_000;
pub(super) const SMALL_FILES: usize = 1000;

pub(super) struct Site {
    pub(super) root: PathBuf,
    /// The folder in which clients put what they receive.
    pub(super) received: PathBuf,
}

impl Site {
    pub(super) fn make(folder: &Path) -> Outcome<Site> {
        let site = Site {
            root: folder.join("site"),
            received: folder.join("received"),
        };
        shell::fresh_dir(folder)?;
        shell::fresh_dir(&site.root.join("small"))?;
        shell::fresh_dir(&site.received)?;
        write(&site.root.join("large.bin"), &noise(0, LARGE))?;
        for number in 0..SMALL_FILES {
            // The sizes range from zero to a few pages of memory.
            write(
                &site.root.join(format!("small/{number}.bin")),
                &noise(number as u64, number * 17),
            )?;
        }
        write(&site.root.join("page one.txt"), b"found\n")?;
        write(&folder.join("secret.txt"), b"not for you\n")?;
        #[cfg(unix)]
        std::os::unix::fs::symlink("../secret.txt", site.root.join("way-out"))
            .map_err(|error| format!("cannot make a symbolic link: {error}"))?;
        Ok(site)
    }

    pub(super) fn large(&self) -> PathBuf {
        self.root.join("large.bin")
    }
}

fn write(path: &Path, bytes: &[u8]) -> Outcome {
    fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Returns bytes without a pattern (xorshift), so that a lost, repeated or exchanged piece is
/// detected.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Returns the length of two equal files. If they differ, fails with the position of the first
/// difference.
pub(super) fn same(sent: &Path, received: &Path) -> Outcome<usize> {
    let read = |path: &Path| {
        fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let (sent_bytes, received_bytes) = (read(sent)?, read(received)?);
    if sent_bytes == received_bytes {
        return Ok(sent_bytes.len());
    }
    let at = sent_bytes
        .iter()
        .zip(&received_bytes)
        .take_while(|(a, b)| a == b)
        .count();
    let (expected, got) = (sent_bytes.len(), received_bytes.len());
    Err(format!(
        "{}: received {got} of {expected} bytes, which differ from byte {at} on",
        sent.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{noise, same};
    use crate::shell;

    /// A copy with one changed byte and a copy without the last byte differ from the original.
    #[test]
    fn differences_are_found() {
        let folder = shell::target("web-differences");
        shell::fresh_dir(&folder).unwrap();
        let (sent, received) = (folder.join("sent"), folder.join("received"));
        let bytes = noise(1, 10_000);
        fs::write(&sent, &bytes).unwrap();
        fs::write(&received, &bytes).unwrap();
        assert_eq!(same(&sent, &received), Ok(10_000));

        for at in [0, 4_321, 9_999] {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            fs::write(&received, &flipped).unwrap();
            let text = same(&sent, &received).unwrap_err();
            assert!(text.contains(&format!("byte {at} on")), "{text}");
        }
        fs::write(&received, &bytes[..9_999]).unwrap();
        assert!(same(&sent, &received).is_err());
    }
}
