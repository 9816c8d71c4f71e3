"""Money that lies with the alliance: collateral, the guarantee fund, reserves, cash that belongs to nothing yet."""
