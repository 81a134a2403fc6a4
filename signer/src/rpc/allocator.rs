//! Lets the allocator look up now what it would otherwise look up under the filters. The first time
//! that glibc's malloc shrinks the heap of a thread it opens `/proc/sys/vm/overcommit_memory`
//! (`check_may_shrink_heap` in malloc/arena.c), once in the life of a process: a peer that has the
//! signer take and give back some memory would have it killed for that call. Called by `rpc::prepare`.

use std::hint::black_box;

/// Below the smallest size that malloc maps on its own (128 KiB): taken from the thread's heap.
const BLOCK_BYTES: usize = 64 * 1024;
/// More than the largest heap of a thread (64 MiB, which is also the largest threshold for shrinking
/// one). The blocks stay untouched: this is address space.
const BLOCKS: usize = 1100;

/// Grows this thread's heap and shrinks it again.
pub(super) fn settle() {
    let blocks: Vec<Vec<u8>> = (0..BLOCKS)
        .map(|_| black_box(Vec::with_capacity(BLOCK_BYTES)))
        .collect();
    drop(black_box(blocks));
}
