/* The machine under a signer in these tests' hands: what its clocks show, and at which write it ends.
 * Loaded before the signer by LD_PRELOAD; the program itself is the one that is shipped. Shares four numbers
 * with the test: by how many milliseconds the wall clock, the monotonic and the boot-time clock are ahead,
 * and before which of the coming writes to files the process dies (0: none). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static volatile long long *hand;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("WAIAAS_TESTS_MACHINE");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED)
        hand = shared;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (result || !hand)
        return result;
    long long ahead = clock == CLOCK_REALTIME ? hand[0] : clock == CLOCK_MONOTONIC ? hand[1] : clock == CLOCK_BOOTTIME ? hand[2] : 0;
    long long nanos = time->tv_nsec + ahead % 1000 * 1000000;
    time->tv_sec += ahead / 1000 + nanos / 1000000000;
    time->tv_nsec = nanos % 1000000000;
    if (time->tv_nsec < 0) {
        time->tv_nsec += 1000000000;
        time->tv_sec -= 1;
    }
    return 0;
}

/* Counts one write, and dies of it if it is the one: no destructor runs, nothing is flushed. */
static void counted(void) {
    if (hand && hand[3] > 0 && __sync_sub_and_fetch(&hand[3], 1) == 0)
        __builtin_trap();
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t place) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real)
        real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    counted();
    return real(file, bytes, count, place);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t place) {
    return pwrite64(file, bytes, count, place);
}

int fdatasync(int file) {
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    counted();
    return real(file);
}

int fsync(int file) {
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    counted();
    return real(file);
}

int ftruncate64(int file, off64_t length) {
    static int (*real)(int, off64_t);
    if (!real)
        real = (int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64");
    counted();
    return real(file, length);
}

int ftruncate(int file, off_t length) {
    return ftruncate64(file, length);
}
