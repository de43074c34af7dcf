# The types of `probe.py`, for Cython. Bounds are checked as they are in Python.

cimport cython


@cython.final
cdef class Probe:
    cdef int _shift
    cdef unsigned long long _last
    cdef const unsigned char[::1] _filter
    cdef const unsigned char[::1] _masks
    cdef dict _seeds
    cdef object _content_seed
    cdef object _domain_seed
    cdef object _host_seed
    cdef dict _keys
    cdef dict _gates
    cdef dict _unspoken

    cpdef bint maybe(self, str scheme, str subject) except -1
    cpdef bint maybe_addressed(self, str host) except -1

    @cython.locals(end=Py_ssize_t, origin=str)
    cpdef bint is_unspoken(self, str content_sha256, str url) except -1

    cdef bint _is_unspoken_of(self, str origin) except -1

    @cython.locals(first=cython.ulonglong, wanted=cython.uchar)
    cdef bint _fits(self, unsigned long long hash_) except -1

    @cython.locals(start=Py_ssize_t, before=Py_ssize_t, last=Py_ssize_t, place=Py_ssize_t, sign=Py_UCS4)
    cdef str _site_of(self, str origin)
