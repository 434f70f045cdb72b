// Package pages reads the rows of an SQLite file page by page, without SQLite, so that one damaged page takes nothing else
// with it. SQLite follows pointers from a table's root and stops at the first page that makes no sense; here every page is
// asked what it holds and to which table it belongs.
//
// Two things tell to which table a page belongs: the pointers that lead to it, and, in a database with auto_vacuum, the map
// of pages, which names the parent of each. Where one of them is destroyed the other one serves; where they contradict each
// other, the map decides.
//
// The write-ahead log is taken into account. Every frame of it is verified. SQLite ends at the first one that does not fit;
// here only that frame is left out, because the checksum stored in it lets the next one be verified all the same.
//
// The formats are fixed and public: https://www.sqlite.org/fileformat2.html. What this package returns comes from a file
// that may hold anything: it checks sizes and places before it believes them, and its callers check the values.
package pages
