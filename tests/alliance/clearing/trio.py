"""Three merchants that agree in every way on who pays when: what tests search for a gain out of nothing."""

from importlib import resources

CAFE = """\
  - code: cafe
    name: Cafe
    jurisdiction: US-OH
    timezone: America/New_York
    settings: {clawback: unlimited}
    settlement: {creditLimit: "5000.00", collateral: "0.00"}
    currencies:
      - {code: CAF, kind: points, default: true, name: Cafe points, scale: 0, worth: {amount: "0.01", currency: USD},
         expiry: {policy: rolling, months: 12}, negative: by_reversal, gifts: {allowed: true, maxPoints: 1000}}
"""

AGREEMENTS = """\
  - merchants: [grocer, cafe]
    version: 1
    from: 2017-01-01
    exchange:
      - {from: GRO, to: CAF, rate: "0.75", clearingValue: {amount: "0.0085", currency: USD}}
      - {from: CAF, to: GRO, rate: "1", clearingValue: {amount: "0.009", currency: USD}, block: 3}
    earn:
      - {at: cafe, of: GRO, issuePrice: {amount: "0.010", currency: USD}, share: "0.9", funding: at_redemption}
      - {at: grocer, of: CAF, issuePrice: {amount: "0.011", currency: USD}, funding: split, atIssue: "0.5"}
    redeem:
      - {at: cafe, of: GRO, redemptionPrice: {amount: "0.009", currency: USD}}
      - {at: grocer, of: CAF, redemptionPrice: {amount: "0.0095", currency: USD}}
    fees:
      - {for: [earn, redeem, exchange], share: "0.0123", payer: issuer}
      - {for: [redeem], amount: {amount: "0.05", currency: USD}, payer: partner}
  - merchants: [fuel, cafe]
    version: 1
    from: 2017-01-01
    exchange: [{from: FUE, to: CAF, rate: "0.9", clearingValue: {amount: "0.009", currency: USD},
                fee: {share: "0.05", points: 2}}]
    earn:
      - {at: cafe, of: FUE, issuePrice: {amount: "0.0125", currency: USD}, share: "0.8", funding: at_redemption,
         breakageTo: issuer}
      - {at: fuel, of: CAF, issuePrice: {amount: "0.0105", currency: USD}, breakageTo: funder, shortfallTo: issuer}
    redeem:
      - {at: cafe, of: FUE, redemptionPrice: {amount: "0.009", currency: USD}}
      - {at: fuel, of: CAF, redemptionPrice: {amount: "0.0095", currency: USD}}
"""


def trio() -> str:
    """The sample's file with a cafe."""
    sample = (resources.files("server.samples") / "demo.yaml").read_text()
    return sample.replace("\nagreements:\n", f"\n{CAFE}\nagreements:\n") + AGREEMENTS
