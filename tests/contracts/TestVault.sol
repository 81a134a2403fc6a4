// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

interface Token {
    function transfer(address to, uint256 value) external returns (bool);
    function transferFrom(address from, address to, uint256 value) external returns (bool);
}

/// A small vault for tests on a local chain: it takes a token by leave of its holder, keeps whose it is, and
/// gives it back. README.md beside it says how TestVault.hex was made.
contract TestVault {
    Token public immutable token;

    mapping(address => uint256) public shares;
    mapping(address => uint256) public paid;

    constructor(Token token_) {
        token = token_;
    }

    function deposit(uint256 assets, address receiver) external returns (uint256) {
        require(token.transferFrom(msg.sender, address(this), assets), "no leave");
        shares[receiver] += assets;
        return assets;
    }

    function withdraw(uint256 assets) external {
        require(shares[msg.sender] >= assets, "shares");
        shares[msg.sender] -= assets;
        require(token.transfer(msg.sender, assets), "no tokens");
    }

    /// What nobody should let an agent call.
    function give(address to) external {
        shares[to] += shares[msg.sender];
        shares[msg.sender] = 0;
    }

    /// Takes the chain's coin, as a fee.
    function pay() external payable {
        paid[msg.sender] += msg.value;
    }
}
