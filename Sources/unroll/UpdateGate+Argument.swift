public import ArgumentParser
public import Training

extension UpdateGate: ExpressibleByArgument {}
