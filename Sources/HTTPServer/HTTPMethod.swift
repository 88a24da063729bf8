internal import CLlhttp

/// The methods an application may want to tell apart.
package enum HTTPMethod: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"
    /// A method the parser knows and nobody here serves (WebDAV, TRACE); CONNECT never gets here.
    case other = "OTHER"

    /// GET, or HEAD, which is answered like it but for the body.
    package var isRead: Bool { self == .get || self == .head }

    init(llhttp number: UInt8) {
        self =
            switch UInt32(number) {
            case HTTP_GET.rawValue: .get
            case HTTP_HEAD.rawValue: .head
            case HTTP_POST.rawValue: .post
            case HTTP_PUT.rawValue: .put
            case HTTP_PATCH.rawValue: .patch
            case HTTP_DELETE.rawValue: .delete
            case HTTP_OPTIONS.rawValue: .options
            default: .other
            }
    }
}
