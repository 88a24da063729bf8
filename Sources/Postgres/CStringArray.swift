internal import Glibc

/// A C array of C strings that ends with a null pointer.
final class CStringArray {
    private let strings: [UnsafeMutablePointer<CChar>?]
    let pointers: UnsafeMutablePointer<UnsafePointer<CChar>?>

    init(_ values: [String]) {
        strings = values.map { strdup($0) }
        pointers = .allocate(capacity: values.count + 1)
        for (index, string) in strings.enumerated() { pointers[index] = UnsafePointer(string) }
        pointers[values.count] = nil
    }

    deinit {
        for string in strings { free(string) }
        pointers.deallocate()
    }
}
