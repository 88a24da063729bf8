extension StringProtocol {
    /// Whether these bytes stand somewhere in the text.
    ///
    /// The standard library's own search comes with its regular expressions.
    package func contains(bytesOf part: String) -> Bool {
        var rest = utf8[...]
        while rest.count >= part.utf8.count {
            if rest.starts(with: part.utf8) { return true }
            rest.removeFirst()
        }
        return false
    }
}
