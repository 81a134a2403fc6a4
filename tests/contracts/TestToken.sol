// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// A small ERC-20 for tests on a local chain: anybody mints, and it can be told to keep a part of each
/// transfer, to revert, or to answer false. README.md beside it says how TestToken.hex was made.
contract TestToken {
    string public constant name = "Test Dollar";
    string public constant symbol = "TUSD";
    uint8 public constant decimals = 6;

    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    /// Ten-thousandths of each transfer that nobody gets.
    uint256 public keeps;
    /// Transfers revert.
    bool public frozen;
    /// Transfers change nothing and answer false.
    bool public refuses;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
        emit Transfer(address(0), to, value);
    }

    function behave(uint256 keeps_, bool frozen_, bool refuses_) external {
        (keeps, frozen, refuses) = (keeps_, frozen_, refuses_);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        return move(msg.sender, to, value);
    }

    function approve(address spender, uint256 value) external returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        require(allowance[from][msg.sender] >= value, "not approved");
        allowance[from][msg.sender] -= value;
        return move(from, to, value);
    }

    function move(address from, address to, uint256 value) private returns (bool) {
        require(!frozen, "frozen");
        if (refuses) return false;
        require(balanceOf[from] >= value, "balance");
        balanceOf[from] -= value;
        balanceOf[to] += value - value * keeps / 10000;
        emit Transfer(from, to, value);
        return true;
    }
}
