/// The value of an `Authorization` header of RFC 7617: `Basic` and base64 of `user:password`.
package func basicAuthorization(user: String, password: String) -> String {
    "Basic " + base64(Array("\(user):\(password)".utf8))
}

private let base64Alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

private func base64(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let count = min(3, bytes.count - start)
        var group: UInt32 = 0
        for offset in 0..<3 {
            group = group << 8 | (offset < count ? UInt32(bytes[start + offset]) : 0)
        }
        for sextet in 0..<4 {
            let index = Int(group >> (18 - 6 * UInt32(sextet)) & 63)
            text.append(sextet <= count ? base64Alphabet[index] : UInt8(ascii: "="))
        }
    }
    return String(decoding: text, as: UTF8.self)
}
