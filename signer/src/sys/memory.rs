//! Locked memory: the one place where key bytes, passwords and recovery phrases may stand (invariant 20).
//! An arena is mapped once at start-up, before the filters, and cut into slots; a slot is wiped when dropped.
//! The bytes are never copied out here, never printed, never serialised. Called by `vault` and by the secret
//! channel of `rpc`.

use std::fmt;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libc::c_void;
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap, mmap_anonymous, munmap};
use nix::unistd::{SysconfVar, ftruncate, sysconf};

/// Slots are handed out in units of this many bytes.
const UNIT: usize = 64;

/// How much of the stack [`scrub_stack`] overwrites, in bytes. Measured need (k256 0.14, ed25519-dalek 3.0, argon2
/// 0.6, x86_64): 41 KB for a secp256k1 signature with its check, 82 KB for the very first one, which also computes
/// the crate's tables; 12 KB for Argon2id; 8 KB for Ed25519.
pub const SCRUBBED_STACK: usize = 128 * 1024;

/// Why locked memory could not be had.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The size was zero, or no multiple of the page size could hold it.
    #[error("an arena of {bytes} bytes cannot be made")]
    Size {
        /// What was asked for, in bytes.
        bytes: usize,
    },
    /// The kernel refused a mapping.
    #[error("no memory for secrets: {0}")]
    Map(#[source] Errno),
    /// The kernel has no `memfd_secret`, or it is switched off.
    #[error("memfd_secret: {0}")]
    Secret(#[source] Errno),
    /// The pages could not be locked: `RLIMIT_MEMLOCK` is too low.
    #[error("memory for secrets cannot be locked (limit on locked memory): {0}")]
    Lock(#[source] Errno),
    /// The kernel did not take the advice that keeps the pages out of children and core files.
    #[error("memory for secrets cannot be kept from children: {0}")]
    Advise(#[source] Errno),
    /// All of the arena is in use.
    #[error("no room for {bytes} more secret bytes")]
    Full {
        /// What was asked for, in bytes.
        bytes: usize,
    },
}

/// What holds the secret pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// `memfd_secret(2)`: outside the kernel's own mapping, unreadable through `/proc/PID/mem` even for root.
    MemfdSecret,
    /// `mlock(2)`: never swapped, not in core files, empty in children; root can read it.
    Mlocked,
}

/// A region of locked memory from which secrets take their slots. Cheap to clone; all clones share the region.
#[derive(Clone)]
pub struct SecretArena {
    arena: Arc<Arena>,
}

/// Bytes in locked memory. Wiped and given back when dropped; neither `Clone` nor printable.
pub struct LockedBytes {
    arena: Arc<Arena>,
    units: Range<usize>,
    length: usize,
}

impl SecretArena {
    /// Maps at least `bytes` bytes in the best way the kernel has: `memfd_secret`, else locked memory.
    ///
    /// # Errors
    /// [`MemoryError`] if neither can be had. Nothing falls back to ordinary memory.
    pub fn new(bytes: usize) -> Result<Self, MemoryError> {
        Self::with_memfd_secret(bytes).or_else(|_| Self::with_mlock(bytes))
    }

    /// Maps `bytes` bytes of secret memory between guard pages. No descriptor stays open: through one, root
    /// could map the pages into another process (`pidfd_getfd`).
    ///
    /// # Errors
    /// [`MemoryError`], among others where the kernel lacks `memfd_secret`.
    pub fn with_memfd_secret(bytes: usize) -> Result<Self, MemoryError> {
        let region = Region::reserve(bytes)?;
        region.fill_with_secret_pages()?;
        Ok(Self::over(region, Backing::MemfdSecret))
    }

    /// Maps `bytes` bytes of locked memory between guard pages: what kernels without `memfd_secret` get.
    ///
    /// # Errors
    /// [`MemoryError`], among others where `RLIMIT_MEMLOCK` is too low.
    pub fn with_mlock(bytes: usize) -> Result<Self, MemoryError> {
        let region = Region::reserve(bytes)?;
        region.fill_with_locked_pages()?;
        Ok(Self::over(region, Backing::Mlocked))
    }

    /// What holds the pages.
    #[must_use]
    pub fn backing(&self) -> Backing {
        self.arena.backing
    }

    /// Takes a slot of `length` zero bytes.
    ///
    /// # Errors
    /// [`MemoryError::Full`] if no gap is long enough.
    pub fn take(&self, length: usize) -> Result<LockedBytes, MemoryError> {
        let full = MemoryError::Full { bytes: length };
        let wanted = length.div_ceil(UNIT).max(1);
        let mut busy = self.arena.busy();
        let mut gap = 0;
        let mut found = None;
        for (unit, taken) in busy.iter().enumerate() {
            gap = if *taken { 0 } else { gap + 1 };
            if gap == wanted {
                found = Some(unit + 1 - wanted..unit + 1);
                break;
            }
        }
        let units = found.ok_or(full)?;
        mark(&mut busy, &units, true);
        drop(busy);
        Ok(LockedBytes {
            arena: Arc::clone(&self.arena),
            units,
            length,
        })
    }

    fn over(region: Region, backing: Backing) -> Self {
        let busy = vec![false; region.length / UNIT].into_boxed_slice();
        Self {
            arena: Arc::new(Arena {
                region,
                backing,
                busy: Mutex::new(busy),
            }),
        }
    }
}

impl fmt::Debug for SecretArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretArena")
            .field("backing", &self.arena.backing)
            .finish_non_exhaustive()
    }
}

impl LockedBytes {
    /// Lends the bytes to `reader`. What it returns must not be the secret; [`scrub_stack`] clears what
    /// a cryptographic routine leaves on the stack.
    pub fn expose<R>(&self, reader: impl FnOnce(&[u8]) -> R) -> R {
        // SAFETY: start() is valid for the units of this slot, which hold at least `length` bytes, initialised
        // (zero) since the arena was made; nobody else has these units, and &self keeps writers away. A plain
        // slice into a mapping made by hand has no safe constructor.
        reader(unsafe { std::slice::from_raw_parts(self.start().as_ptr(), self.length) })
    }

    /// Lends the bytes to `writer`, which builds the secret in place.
    pub fn fill<R>(&mut self, writer: impl FnOnce(&mut [u8]) -> R) -> R {
        // SAFETY: as in `expose`; &mut self keeps every other reader and writer away.
        writer(unsafe { std::slice::from_raw_parts_mut(self.start().as_ptr(), self.length) })
    }

    /// Compares in a time that depends on the lengths only.
    #[must_use]
    pub fn matches(&self, other: &[u8]) -> bool {
        if other.len() != self.length {
            return false;
        }
        self.expose(|own| {
            // SAFETY: both slices are `length` bytes long, checked above. memsec takes raw pointers only.
            unsafe { memsec::memeq(own.as_ptr(), other.as_ptr(), other.len()) }
        })
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn start(&self) -> NonNull<u8> {
        // SAFETY: the slot's first unit lies inside the region (`take` found it there), so the sum stays in it.
        unsafe { self.arena.region.base.add(self.units.start * UNIT) }
    }
}

impl fmt::Debug for LockedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockedBytes(secret)")
    }
}

impl Drop for LockedBytes {
    fn drop(&mut self) {
        // SAFETY: the units belong to this slot alone until they are marked free below. memsec takes raw pointers.
        unsafe { memsec::memzero(self.start().as_ptr(), self.units.len() * UNIT) };
        mark(&mut self.arena.busy(), &self.units, false);
    }
}

/// Overwrites the stack below the caller with zeros, so that what a cryptographic routine spilled there is gone.
/// Call it right after the routine returned, from the same function.
#[inline(never)]
pub fn scrub_stack() {
    // `black_box` makes the compiler write the zeros for real: somebody might read them.
    black_box(&mut [0_u8; SCRUBBED_STACK]);
}

/// The mapping behind all slots.
struct Arena {
    region: Region,
    backing: Backing,
    busy: Mutex<Box<[bool]>>,
}

impl Arena {
    fn busy(&self) -> MutexGuard<'_, Box<[bool]>> {
        // The table holds plain flags, changed in one step: a panic elsewhere cannot leave it half-made.
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mark(busy: &mut [bool], units: &Range<usize>, taken: bool) {
    for unit in busy.iter_mut().take(units.end).skip(units.start) {
        *unit = taken;
    }
}

/// `length` usable bytes at `base`, with an inaccessible page on either side.
struct Region {
    base: NonNull<u8>,
    length: usize,
    reservation: NonNull<c_void>,
    reserved: usize,
}

// SAFETY: the region is plain memory without thread affinity. Access to its parts goes through `LockedBytes`,
// which never hands the same units to two owners.
unsafe impl Send for Region {}
// SAFETY: as above; a shared reference to a region only yields its address and length.
unsafe impl Sync for Region {}

impl Region {
    /// Reserves address space for `bytes` bytes, rounded up to whole pages, and two guard pages.
    fn reserve(bytes: usize) -> Result<Self, MemoryError> {
        let size = || MemoryError::Size { bytes };
        let page = page_size()?;
        let length = bytes
            .checked_next_multiple_of(page)
            .filter(|length| *length > 0)
            .ok_or_else(size)?;
        let reserved = page
            .checked_mul(2)
            .and_then(|guards| guards.checked_add(length))
            .ok_or_else(size)?;
        let whole = NonZeroUsize::new(reserved).ok_or_else(size)?;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches no existing memory.
        let reservation =
            unsafe { mmap_anonymous(None, whole, ProtFlags::PROT_NONE, MapFlags::MAP_PRIVATE) }
                .map_err(MemoryError::Map)?;
        // SAFETY: one page into a mapping of at least three.
        let base = unsafe { reservation.cast::<u8>().add(page) };
        Ok(Self {
            base,
            length,
            reservation,
            reserved,
        })
    }

    /// Lays `memfd_secret` pages over the usable part.
    fn fill_with_secret_pages(&self) -> Result<(), MemoryError> {
        // memsec's own form keeps the descriptor open for life, so the raw call is used.
        // SAFETY: the call takes one flag word and returns a new descriptor or an error.
        let raw = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::O_CLOEXEC) };
        let raw = Errno::result(raw).map_err(MemoryError::Secret)?;
        let raw = i32::try_from(raw).map_err(|_| MemoryError::Secret(Errno::EBADF))?;
        // SAFETY: the descriptor was made by the call above and nobody else knows it.
        let file = unsafe { OwnedFd::from_raw_fd(raw) };
        let (length, whole) = self.lengths()?;
        ftruncate(&file, length).map_err(MemoryError::Map)?;
        // SAFETY: MAP_FIXED replaces pages of our own reservation only, which nothing refers to yet.
        unsafe {
            mmap(
                Some(self.base.addr()),
                whole,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED | MapFlags::MAP_FIXED,
                &file,
                0,
            )
        }
        .map_err(MemoryError::Map)?;
        drop(file);
        // The mapping is shared, so it cannot be wiped in a child (WIPEONFORK is refused): a child gets none of it.
        self.advise(MmapAdvise::MADV_DONTFORK)?;
        self.touch();
        Ok(())
    }

    /// Lays locked anonymous pages over the usable part.
    fn fill_with_locked_pages(&self) -> Result<(), MemoryError> {
        let (_, whole) = self.lengths()?;
        // SAFETY: MAP_FIXED replaces pages of our own reservation only, which nothing refers to yet.
        unsafe {
            mmap_anonymous(
                Some(self.base.addr()),
                whole,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_PRIVATE | MapFlags::MAP_FIXED,
            )
        }
        .map_err(MemoryError::Map)?;
        // SAFETY: the range is the mapping just made. memsec::mlock also keeps it out of core files.
        if !unsafe { memsec::mlock(self.base.as_ptr(), self.length) } {
            return Err(MemoryError::Lock(Errno::last()));
        }
        // memsec ignores whether the kernel took that advice, so it is given once more, checked.
        self.advise(MmapAdvise::MADV_DONTDUMP)?;
        self.advise(MmapAdvise::MADV_WIPEONFORK)?;
        self.touch();
        Ok(())
    }

    fn advise(&self, advice: MmapAdvise) -> Result<(), MemoryError> {
        // SAFETY: the range is our own mapping; the advice given here changes only dumps and children.
        unsafe { madvise(self.base.cast(), self.length, advice) }.map_err(MemoryError::Advise)
    }

    /// Writes to every page now: a missing one would otherwise be a SIGBUS in the middle of a signature.
    fn touch(&self) {
        // SAFETY: the whole usable part was just mapped for writing and no slot exists yet.
        unsafe { memsec::memzero(self.base.as_ptr(), self.length) };
    }

    fn lengths(&self) -> Result<(i64, NonZeroUsize), MemoryError> {
        let size = MemoryError::Size { bytes: self.length };
        match (i64::try_from(self.length), NonZeroUsize::new(self.length)) {
            (Ok(length), Some(whole)) => Ok((length, whole)),
            _ => Err(size),
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // Every slot wiped itself before its arena could get here. munmap also unlocks; memsec::munlock would
        // first take back MADV_DONTDUMP, a call that the filters refuse for good reason.
        // SAFETY: the reservation is ours, and the last owner of the arena is gone, so no slot points into it.
        let _ = unsafe { munmap(self.reservation, self.reserved) };
    }
}

fn page_size() -> Result<usize, MemoryError> {
    let page = sysconf(SysconfVar::PAGE_SIZE).map_err(MemoryError::Map)?;
    page.and_then(|page| usize::try_from(page).ok())
        .ok_or(MemoryError::Map(Errno::EINVAL))
}

#[cfg(test)]
mod tests;
