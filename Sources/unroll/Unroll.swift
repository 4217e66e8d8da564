import ArgumentParser

@main
struct Unroll: ParsableCommand {
}
