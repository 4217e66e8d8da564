public import ArgumentParser
internal import Exchange
internal import Training

extension UpdateGate: ExpressibleByArgument {}
