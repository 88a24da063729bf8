import Foundation
import Testing

@testable import Settings
@testable import fourfold

/// `docs/CONFIGURATION.md` says what the catalog says.
///
/// With `FOURFOLD_UPDATE_DOCUMENTS=1` in the environment the table is written anew instead.
@Suite struct ConfigurationDocumentTests {
    private static let start = "<!-- settings -->\n"
    private static let end = "<!-- end of settings -->"

    private static var path: String {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        return url.appendingPathComponent("docs/CONFIGURATION.md").path
    }

    @Test func theTableIsTheCatalog() throws {
        let text = try String(contentsOfFile: Self.path, encoding: .utf8)
        let start = try #require(text.firstRange(of: Self.start), "no marker in the document")
        let end = try #require(text.firstRange(of: Self.end), "no end marker in the document")
        let told = String(text[start.upperBound..<end.lowerBound])
        let table = makeTable(settingsCatalog)
        if ProcessInfo.processInfo.environment["FOURFOLD_UPDATE_DOCUMENTS"] == "1" {
            let rest = String(text[end.lowerBound...])
            let updated = String(text[..<start.upperBound]) + table + rest
            try updated.write(toFile: Self.path, atomically: true, encoding: .utf8)
            return
        }
        let toldRows = told.split(separator: "\n")
        let rows = table.split(separator: "\n")
        for row in rows where !toldRows.contains(row) {
            Issue.record("docs/CONFIGURATION.md lacks the row\n\(row)")
        }
        for row in toldRows where !rows.contains(row) {
            Issue.record("docs/CONFIGURATION.md has a row that the catalog has not\n\(row)")
        }
        #expect(toldRows.count < rows.count || told == table, "the rows stand in another order")
    }

    @Test func namesAndFlagsAreUnique() {
        let names = settingsCatalog.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(Set(settingsCatalog.map(\.flagName)).count == names.count)
    }

    private func makeTable(_ catalog: [Setting]) -> String {
        var table = "| setting | flag | value | default | meaning |\n|---|---|---|---|---|\n"
        for setting in catalog {
            let value = setting.defaultText.map { "`\($0)`" } ?? "–"
            table += "| `\(setting.name)` | `\(setting.flagName)` | \(setting.kindText) | \(value) "
            table += "| \(setting.summary.replacing("|", with: "\\|")) |\n"
        }
        return table
    }
}

extension Setting {
    /// What a value may be, for the table.
    fileprivate var kindText: String {
        switch kind {
        case .text: "text"
        case .secret: "text, secret"
        case .integer, .choice, .flag: boundText
        case .duration: "time, \(boundText)"
        case .byteCount: "bytes, \(boundText)"
        }
    }
}
