/// What a handler answers.
package struct HTTPResponse: Sendable {
    /// 200 to 599.
    package var status: Int
    package var headers: HTTPHeaders
    package var body: HTTPBody

    package init(status: Int, headers: HTTPHeaders = [:], body: HTTPBody = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The body of a response. It is not sent in answer to HEAD, its Content-Length is.
package enum HTTPBody: Sendable {
    case empty
    case bytes([UInt8])
    /// Memory of somebody else, written to the socket from where it stands.
    case foreign(HTTPForeignBytes)
    /// Written later: the closure is called on the loop once the head was sent, and must return
    /// soon. Not called in answer to HEAD or when the client has left.
    case stream(@Sendable (HTTPBodyStream) -> Void)

    /// - Parameter owner: Keeps `bytes` alive and unchanged as long as it is referenced.
    package static func foreign(
        owner: any AnyObject & Sendable, bytes: UnsafeRawBufferPointer
    ) -> HTTPBody {
        .foreign(HTTPForeignBytes(owner: owner, bytes: bytes))
    }
}

/// Bytes and the object that keeps them alive.
package struct HTTPForeignBytes: @unchecked Sendable {
    let owner: any AnyObject & Sendable
    let bytes: UnsafeRawBufferPointer
}
