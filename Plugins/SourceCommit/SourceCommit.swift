import Foundation
import PackagePlugin

/// Writes a Swift file with the commit that the program is built from, which `unroll --version` tells.
///
/// The file is written anew only if the commit is another. Outside of a Git checkout the commit is nil.
@main
struct SourceCommit: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) -> [Command] {
    let folder = context.pluginWorkDirectoryURL.appending(path: "SourceCommit")
    return [
      .prebuildCommand(
        displayName: "Commit of the source", executable: URL(filePath: "/bin/sh"),
        arguments: [
          context.package.directoryURL.appending(path: "Plugins/SourceCommit/write-commit").path,
          context.package.directoryURL.path, folder.appending(path: "SourceCommit.swift").path,
        ],
        outputFilesDirectory: folder)
    ]
  }
}
