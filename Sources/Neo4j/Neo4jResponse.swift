internal import HTTPClient
internal import JSON

/// What a HTTP answer of the Query API means.
enum Neo4jResponse {
    /// Success is a 2xx status, no error in the document, and a document that is complete: rows are
    /// sent while the statement runs, so an error can follow them under status 202.
    static func parse(
        _ response: HTTPClientResponse, access: Neo4jAccess
    ) throws(Neo4jError) -> Neo4jResult {
        guard let document = try? JSONDocument.parse(response.body) else {
            throw broken(response, access)
        }
        let root = document.root
        if let error = root["errors"]?.elements.first(where: { _ in true }) {
            throw failure(error, status: response.status)
        }
        guard response.isSuccess, let result = Neo4jResult(root: root) else {
            throw broken(response, access)
        }
        return result
    }

    private static func failure(_ error: JSONValue, status: Int) -> Neo4jError {
        let code = error["code"]?.string ?? ""
        switch code {
        case "Neo.TransientError.General.DatabaseUnavailable": return .unavailable
        case "": return status >= 500 ? .unavailable : .invalidResponse
        case "Neo.ClientError.Security.Unauthorized",
            "Neo.ClientError.Security.CredentialsExpired",
            "Neo.ClientError.Security.TokenExpired":
            return .unauthorized(code: code)
        default:
            return .rejected(Neo4jRejection(code: code))
        }
    }

    /// No error document, or no whole one.
    private static func broken(
        _ response: HTTPClientResponse, _ access: Neo4jAccess
    ) -> Neo4jError {
        switch response.status {
        case 200..<300: access == .write ? .outcomeUnknown : .invalidResponse
        case 401: .unauthorized(code: "Neo.ClientError.Security.Unauthorized")
        case 500...: .unavailable
        default: .invalidResponse
        }
    }
}
